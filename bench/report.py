"""Figures as lines for a person and as JSON for a program."""

import json
import os
import platform
from pathlib import Path


class Report:
    """The figures of one benchmark."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._figures: list[dict[str, object]] = []

    def figure(self, name: str, value: float, unit: str) -> None:
        """Print a figure and keep it."""
        print(f"{name}: {_rounded(value):g} {unit}", flush=True)
        self.keep(name, value, unit)

    def keep(self, name: str, value: float, unit: str) -> None:
        """Keep a figure that a table shows."""
        self._figures.append({"figure": name, "value": _rounded(value), "unit": unit})

    def write(self, folder: Path) -> Path:
        """Write all figures as JSON; the file."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self._name}.json"
        machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
        path.write_text(json.dumps({"benchmark": self._name, "machine": machine, "figures": self._figures}, indent=2))
        return path


def _rounded(value: float) -> float:
    return round(value, 1) if abs(value) >= 10 else round(value, 2)
