"""One fetch in this process, as the tests of every source make it."""

from pathlib import Path
from typing import Any

import pytest
from mlneuron_runtime.failure import Fatal
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.sources.download import Patience
from mlneuron_runtime.sources.fetching import fetch as fetch_source


def fetch(
    uri: str,
    path: Path,
    pinned: str | None = None,
    cache: Path | None = None,
    authorization: str | None = None,
    **patience: Any,
) -> list[float]:
    """Fetch, and the pauses it would have made."""
    pauses: list[float] = []
    source = ModelSource(
        name="churn", framework="sklearn", uri=uri, path=str(path), sha256=pinned, cache=str(cache) if cache else None
    )
    fetch_source(source, Patience(sleep=pauses.append, **patience), authorization)
    return pauses


def refused(uri: str, path: Path, pinned: str | None = None, **options: Any) -> Fatal:
    """Why a fetch gave up; it left nothing behind."""
    with pytest.raises(Fatal) as failed:
        fetch(uri, path, pinned, **options)
    assert not list(path.parent.glob(".*")), "no part is left behind"
    return failed.value


def content(path: Path) -> dict[str, bytes]:
    """A folder's files by their paths in it."""
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
