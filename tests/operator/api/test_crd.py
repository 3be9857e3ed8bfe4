import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlneuron_operator.api.crd import COPIES, PAGE, crd, generated, main, schema
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.api.status import ConditionType, MLNeuronStatus, Reason
from mlneuron_operator.federation.state import FederationReason

ROOT = Path(__file__).parents[3]
VALIDATIONS = "x-kubernetes-validations"


def nodes(place: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(f"{place}.{name}", child)
    for child in (node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)):
        yield from nodes(f"{place}[]", child)


NODES = dict(nodes("", schema()))


def test_the_generated_files_are_as_the_models_say() -> None:
    stale = [str(path) for path, text in generated(ROOT).items() if path.read_text() != text]
    assert not stale, "run make crds"


def test_the_command_writes_what_it_then_finds_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    page.write_text("<!-- generated: spec -->\n<!-- end -->\n")
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "make crds" in capsys.readouterr().out
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    assert [yaml.safe_load((tmp_path / copy).read_text()) for copy in COPIES] == [crd(), crd()]
    assert "| `spec.model.uri` | string | **required** |" in page.read_text()


def test_every_field_is_described() -> None:
    own = {place: node for place, node in NODES.items() if re.match(r"\.(spec|status)\b.*[^]]$", place)}
    undocumented = [place for place, node in own.items() if not node.get("description")]
    assert len(own) > 80
    assert not undocumented


def test_every_list_map_and_text_of_the_spec_has_a_bound() -> None:
    """An unbounded one makes the API server refuse the cost of any rule that reads it."""
    for place, node in NODES.items():
        if not place.startswith(".spec") or "enum" in node:
            continue
        if node.get("type") == "string":
            assert "maxLength" in node, place
        if node.get("type") == "array":
            assert "maxItems" in node, place
        if "additionalProperties" in node:
            assert "maxProperties" in node, place


def test_every_rule_says_what_to_do() -> None:
    for place, node in NODES.items():
        for rule in node.get(VALIDATIONS, ()):
            assert rule.get("message") or rule.get("messageExpression"), place


def test_the_columns_are_those_that_the_design_names() -> None:
    (version,) = crd()["spec"]["versions"]
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


def test_the_paths_that_columns_and_scale_read_are_in_the_schema() -> None:
    (version,) = crd()["spec"]["versions"]
    paths = [column["jsonPath"] for column in version["additionalPrinterColumns"]]
    paths += version["subresources"]["scale"].values()
    for path in paths:
        if not path.startswith(".metadata"):
            assert re.sub(r"\[\?.*\]", "[]", path) in NODES, path


def test_the_page_explains_every_condition_and_every_reason_and_no_other() -> None:
    page = (ROOT / PAGE).read_text()
    explained = page[page.index("### Conditions") : page.index("### Waiting")]
    names = re.findall(r"^\| `(\w+)` \|", explained, re.MULTILINE)
    assert sorted(names) == sorted(map(str, (*ConditionType, *Reason, *FederationReason)))


def test_the_worked_example_of_the_page_is_a_valid_neuron() -> None:
    page = (ROOT / PAGE).read_text()
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    neurons = [example for example in examples if example.get("kind") == "MLNeuron"]
    assert neurons
    for example in neurons:
        example["metadata"] |= {"uid": "u"}
        MLNeuron.parse(example)
        MLNeuronStatus.model_validate(example.get("status", {}))


def test_the_schema_is_plain_json() -> None:
    assert json.loads(json.dumps(schema())) == schema()
