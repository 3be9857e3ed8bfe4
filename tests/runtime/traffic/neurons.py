"""A front door and its variants, as servers of their own on loopback."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import LinearRegression

from tests.runtime.support import Process, config_for, serving

VERSIONS = {"primary": "1.0.0", "candidate": "2.0.0", "other": "3.0.0"}
ADDS = {"primary": 0.0, "candidate": 100.0, "other": 200.0}
"""What each adds to the sum of a row's two numbers: the answer tells who gave it."""


@dataclass
class Fleet:
    """`table` is what the front door reads."""

    front: Process
    variants: dict[str, Process]
    table: Path

    def write(self, revision: str, *variants: dict[str, Any]) -> None:
        """Exchange the table."""
        write_table(self.table, revision, *variants)

    def entry(self, name: str, percent: float, mode: str = "Split", **more: Any) -> dict[str, Any]:
        process = self.variants[name]
        return {
            "name": name, "mode": mode, "percent": percent, "url": process.url, "version": VERSIONS[name],
            "grpc": f"127.0.0.1:{process.grpc_port}", **more,
        }  # fmt: skip


def write_table(path: Path, revision: str, *variants: dict[str, Any]) -> None:
    """As the kubelet does: the file is a link through `..data` to a folder that is exchanged."""
    folder = path.parent / f"..{revision}"
    folder.mkdir()
    (folder / path.name).write_text(json.dumps({"revision": revision, "variants": variants}))
    (path.parent / "..new").symlink_to(folder.name)
    os.replace(path.parent / "..new", path.parent / "..data")
    if not path.is_symlink():
        path.symlink_to(f"..data/{path.name}")


@contextmanager
def fleet(folder: Path, *names: str, **serves: Any) -> Iterator[Fleet]:
    """A primary and variants; `serves` goes into the `serving` section of all."""
    mount = folder / "mount"
    mount.mkdir()
    members = {name: member(folder, name, **serves) for name in names}
    members["primary"] = member(folder, "primary", **{**serves, "trafficFile": str(mount / "traffic.json")})
    with ExitStack() as stack:
        with ThreadPoolExecutor() as pool:  # they start at the same time
            entered = {name: pool.submit(stack.enter_context, one) for name, one in members.items()}
        variants = {name: started.result() for name, started in entered.items()}
        front = variants.pop("primary")
        yield Fleet(front, variants, mount / "traffic.json")


@contextmanager
def member(folder: Path, name: str, **serves: Any) -> Iterator[Process]:
    """One server of the fleet."""
    own = folder / name
    own.mkdir(exist_ok=True)
    joblib.dump(adding(ADDS[name]), own / "model.joblib")
    config = config_for(own / "model.joblib", model={"version": VERSIONS[name]}, serving=serves)
    config["neuron"]["variant"] = name
    with serving(own, config) as process:
        yield process


def adding(number: float) -> LinearRegression:
    """Sums two numbers, and adds one."""
    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.array([1.0, 1.0]), number, 2
    return model
