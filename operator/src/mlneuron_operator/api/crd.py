"""The CustomResourceDefinitions, generated: ``python -m mlneuron_operator.api.crd --write`` (or ``--check``).

One source, the models of this package, gives ``crds/``, the chart's copy, and the tables of ``docs/spec/``.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from .names import GROUP, NEURON_KIND, NEURON_PLURAL, VERSION
from .neuron import MLNeuron, MLNeuronSpec
from .reference import filled, tables
from .schema import structural
from .status import MLNeuronStatus

CRD_NAME: Final = f"{NEURON_PLURAL}.{GROUP}"
COPIES: Final = (f"crds/{CRD_NAME}.yaml", f"charts/mlneuron-operator/files/crds/{CRD_NAME}.yaml")
PAGE: Final = "docs/spec/mlneuron.md"

_HEADER: Final = "# Generated from operator/src/mlneuron_operator/api by `make crds`; edit the models, not this file.\n"


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition of ``MLNeuron``."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD_NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": NEURON_KIND,
                "listKind": f"{NEURON_KIND}List",
                "plural": NEURON_PLURAL,
                "singular": NEURON_KIND.lower(),
                "shortNames": ["mln"],
                "categories": ["ml"],
            },
            "versions": [_version()],
        },
    }


def schema() -> dict[str, Any]:
    """The schema of a whole ``MLNeuron``."""
    return {
        "description": " ".join((MLNeuron.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}},
            "spec": structural(MLNeuronSpec),
            "status": structural(MLNeuronStatus),
        },
        "x-kubernetes-validations": [rule.validation() for rule in MLNeuron.RULES],
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            _column("Ready", _condition("Ready", "status"), "Whether the model answers."),
            _column("Reason", ".status.summary.reason", "Why it is as it is, in one word."),
            _column("Replicas", ".status.summary.replicas", "Ready of wanted pods."),
            _column("Version", ".status.model.version", "Version that is served."),
            _column("Health", ".status.health.score", "Health score, 0 to 100.", kind="integer"),
            _column("Traffic", ".status.summary.traffic", "Share of each model in the traffic."),
            _column("Federation", _condition("FederationReady", "reason"), "State at the federation core."),
            _column("Age", ".metadata.creationTimestamp", "", kind="date"),
            _column("Model", ".spec.model.uri", "Where the model is.", wide=True),
            _column("URL", ".status.url", "Where the neuron answers inside the cluster.", wide=True),
        ],
    }


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


def _column(name: str, path: str, text: str, *, kind: str = "string", wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"description": text} if text else {}) | ({"priority": 1} if wide else {})


def manifest() -> str:
    """The CRD as a YAML document."""
    return _HEADER + yaml.safe_dump(crd(), sort_keys=False, width=110, allow_unicode=True)


def generated(root: Path) -> dict[Path, str]:
    """What each generated file under the root of the repository should hold."""
    files = {root / path: manifest() for path in COPIES}
    page = root / PAGE
    return {**files, page: filled(page.read_text(), tables(schema()))}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the generated files, or say which differ."""
    parser = argparse.ArgumentParser(prog="python -m mlneuron_operator.api.crd", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="root of the repository (default: here)")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the files")
    action.add_argument("--check", action="store_true", help="fail when a file is not as it would be written")
    options = parser.parse_args(arguments)
    stale = {
        path: text for path, text in generated(options.root).items() if not path.exists() or path.read_text() != text
    }
    for path, text in stale.items():
        if options.write:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(f"{'written' if options.write else 'out of date, run make crds'}: {path}")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
