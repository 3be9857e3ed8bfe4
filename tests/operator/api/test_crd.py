import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlneuron_operator.api.crd import DEFINITIONS, NEURON, VARIANT, Definition, crd, generated, main, schema
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.api.status import ConditionType, MLNeuronStatus, Reason, TrafficReason
from mlneuron_operator.api.variant import ModelVariant
from mlneuron_operator.api.variant_status import ModelVariantStatus, VariantConditionType, VariantReason
from mlneuron_operator.federation.state import FederationReason

ROOT = Path(__file__).parents[3]
VALIDATIONS = "x-kubernetes-validations"


def nodes(place: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(f"{place}.{name}", child)
    for child in (node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)):
        yield from nodes(f"{place}[]", child)


KINDS = pytest.mark.parametrize("kind", DEFINITIONS, ids=lambda kind: kind.kind)
NODES = {kind: dict(nodes("", schema(kind))) for kind in DEFINITIONS}


def test_the_generated_files_are_as_the_models_say() -> None:
    stale = [str(path) for path, text in generated(ROOT).items() if path.read_text() != text]
    assert not stale, "run make crds"


def test_the_command_writes_what_it_then_finds_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in DEFINITIONS:
        page = tmp_path / kind.page
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<!-- generated: spec -->\n<!-- end -->\n")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "make crds" in capsys.readouterr().out
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    for kind in DEFINITIONS:
        assert [yaml.safe_load((tmp_path / copy).read_text()) for copy in kind.copies] == [crd(kind)] * 2
        assert "| `spec.model.uri` | string | **required** |" in (tmp_path / kind.page).read_text()


@KINDS
def test_every_field_is_described(kind: Definition) -> None:
    own = {place: node for place, node in NODES[kind].items() if re.match(r"\.(spec|status)\b.*[^]]$", place)}
    undocumented = [place for place, node in own.items() if not node.get("description")]
    assert len(own) > 70
    assert not undocumented


@KINDS
def test_every_list_map_and_text_of_the_spec_has_a_bound(kind: Definition) -> None:
    """An unbounded one makes the API server refuse the cost of any rule that reads it."""
    for place, node in NODES[kind].items():
        if not place.startswith(".spec") or "enum" in node:
            continue
        if node.get("type") == "string":
            assert "maxLength" in node, place
        if node.get("type") == "array":
            assert "maxItems" in node, place
        if "additionalProperties" in node:
            assert "maxProperties" in node, place


@KINDS
def test_every_rule_says_what_to_do(kind: Definition) -> None:
    for place, node in NODES[kind].items():
        for rule in node.get(VALIDATIONS, ()):
            assert rule.get("message") or rule.get("messageExpression"), place


def test_the_columns_are_those_that_the_design_names() -> None:
    (version,) = crd(NEURON)["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == [
        "Ready",
        "Reason",
        "Replicas",
        "Version",
        "Health",
        "Traffic",
        "Federation",
        "Age",
    ]
    assert [column["name"] for column in columns if column.get("priority")] == ["Model", "URL"]


def test_the_columns_of_a_variant_are_those_that_the_design_names() -> None:
    (version,) = crd(VARIANT)["spec"]["versions"]
    names = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert names == ["Neuron", "Mode", "Traffic", "Step", "Verdict", "Ready", "Age"]


@KINDS
def test_the_paths_that_columns_and_scale_read_are_in_the_schema(kind: Definition) -> None:
    (version,) = crd(kind)["spec"]["versions"]
    paths = [column["jsonPath"] for column in version["additionalPrinterColumns"]]
    paths += version["subresources"]["scale"].values()
    for path in paths:
        if not path.startswith(".metadata"):
            assert re.sub(r"\[\?.*\]", "[]", path) in NODES[kind], path


def test_the_page_explains_every_condition_and_every_reason_and_no_other() -> None:
    page = (ROOT / NEURON.page).read_text()
    explained = page[page.index("### Conditions") : page.index("### Waiting")]
    names = re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE)
    assert sorted(names) == sorted(map(str, (*ConditionType, *Reason, *TrafficReason, *FederationReason)))


def test_the_worked_example_of_the_page_is_a_valid_neuron() -> None:
    page = (ROOT / NEURON.page).read_text()
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    neurons = [example for example in examples if example.get("kind") == "MLNeuron"]
    assert neurons
    for example in neurons:
        example["metadata"] |= {"uid": "u"}
        MLNeuron.parse(example)
        MLNeuronStatus.model_validate(example.get("status", {}))


def test_the_page_of_variants_explains_every_condition_and_reason_of_theirs() -> None:
    page = (ROOT / VARIANT.page).read_text()
    explained = page[page.index("### Conditions") :]
    names = set(re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE))
    assert names >= set(map(str, (*VariantConditionType, *VariantReason)))


def test_the_worked_example_of_the_page_is_a_valid_variant() -> None:
    page = (ROOT / VARIANT.page).read_text()
    (example,) = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    example["metadata"] |= {"uid": "u"}
    ModelVariant.parse(example)
    ModelVariantStatus.model_validate(example.get("status", {}))


@KINDS
def test_the_schema_is_plain_json(kind: Definition) -> None:
    assert json.loads(json.dumps(schema(kind))) == schema(kind)
