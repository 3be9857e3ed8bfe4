"""Where things lie. Only this module of `dev` reads the environment for places."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def cache() -> Path:
    """Builds and downloads, outside the tree so that they survive clones."""
    if chosen := os.environ.get("MLNEURON_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mlneuron-dev"


def state() -> Path:
    """The developer's own cluster: kubeconfig, logs, data. Git-ignored."""
    return ROOT / ".dev"
