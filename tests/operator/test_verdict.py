"""Whose answers are whose, while pods are replaced."""

from typing import Any

import pytest
from mlneuron_operator.verdict import Situation

from tests.operator.facts import OLD, neuron, observed, pod, settled

NEWEST, OLDER, COMING = pod("new", ready=True), pod("old", ready=True, revision=OLD), pod("coming")


@pytest.mark.parametrize(
    ("pods", "alone"),
    [
        ([], False),
        ([COMING], False),
        ([NEWEST], True),
        ([NEWEST, COMING], True),
        ([OLDER], False),
        ([OLDER, NEWEST], False),
        ([pod("old", revision=OLD), NEWEST], True),
    ],
)
def test_the_newest_revision_serves_alone_once_no_older_pod_is_ready(pods: list[Any], alone: bool) -> None:
    assert Situation(neuron(), observed(settled(), *pods)).newest_alone_serves is alone
