"""The CustomResourceDefinitions, generated: ``python -m mlneuron_operator.api.crd --write`` (or ``--check``).

One source, the models of this package, gives ``crds/``, the chart's copy, and the tables of ``docs/spec/``.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from .base import Resource, Rule
from .columns import neuron_columns, variant_columns
from .names import GROUP, NEURON_KIND, NEURON_PLURAL, VARIANT_KIND, VARIANT_PLURAL, VERSION
from .neuron import MLNeuron, MLNeuronSpec
from .reference import filled, tables
from .schema import structural
from .status import MLNeuronStatus
from .variant import ModelVariant, ModelVariantSpec
from .variant_status import ModelVariantStatus

_HEADER: Final = "# Generated from operator/src/mlneuron_operator/api by `make crds`; edit the models, not this file.\n"


@dataclass(frozen=True, slots=True)
class Definition:
    """A kind of custom resource."""

    kind: str
    plural: str
    short: str
    model: type[MLNeuron] | type[ModelVariant]
    spec: type[Resource]
    status: type[Resource]
    columns: tuple[dict[str, Any], ...] = field(hash=False)

    @property
    def name(self) -> str:
        """Of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def copies(self) -> tuple[str, ...]:
        """Files that hold it."""
        return f"crds/{self.name}.yaml", f"charts/mlneuron-operator/files/crds/{self.name}.yaml"

    @property
    def page(self) -> str:
        """The reference page whose tables are filled in."""
        return f"docs/spec/{self.kind.lower()}.md"

    @property
    def rules(self) -> Sequence[Rule]:
        """Of the object as a whole."""
        return self.model.RULES


NEURON: Final = Definition(
    NEURON_KIND, NEURON_PLURAL, "mln", MLNeuron, MLNeuronSpec, MLNeuronStatus, tuple(neuron_columns())
)
VARIANT: Final = Definition(
    VARIANT_KIND, VARIANT_PLURAL, "mv", ModelVariant, ModelVariantSpec, ModelVariantStatus, tuple(variant_columns())
)
DEFINITIONS: Final = (NEURON, VARIANT)


def crd(definition: Definition) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short],
                "categories": ["ml"],
            },
            "versions": [_version(definition)],
        },
    }


def schema(definition: Definition) -> dict[str, Any]:
    """The schema of a whole object."""
    return {
        "description": " ".join((definition.model.__doc__ or "").split()),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}},
            "spec": structural(definition.spec),
            "status": structural(definition.status),
        },
        "x-kubernetes-validations": [rule.validation() for rule in definition.rules],
    }


def _version(definition: Definition) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema(definition)},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": list(definition.columns),
    }


def manifest(definition: Definition) -> str:
    """The CRD as a YAML document."""
    return _HEADER + yaml.safe_dump(crd(definition), sort_keys=False, width=110, allow_unicode=True)


def generated(root: Path) -> dict[Path, str]:
    """What each generated file under the root of the repository should hold."""
    files: dict[Path, str] = {}
    for definition in DEFINITIONS:
        files |= {root / path: manifest(definition) for path in definition.copies}
        page = root / definition.page
        files[page] = filled(page.read_text(), tables(schema(definition)))
    return files


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
