"""Fixtures of the federation's tests."""

from collections.abc import AsyncIterator

import pytest

from .world import World, make_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with make_world() as made:
        yield made
