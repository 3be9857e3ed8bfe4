"""The CRD before a real API server: what is refused and in which words, what is admitted, filled in and shown."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from mlneuron_operator.api.crd import NEURON, schema
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.desired import desired_state
from mlneuron_operator.settings import RuntimeImages

from tests.support.kube import Kube, eventually

from .admitted import ADMITTED
from .gateway import gateway_api
from .neurons import COLUMNS, neuron
from .refused import REFUSED
from .specs import Spec

pytestmark = pytest.mark.integration

DRY = ("apply", "--dry-run=server", "--validate=strict", "-f", "-")
_MAPS = re.compile(r"\b(requests|limits|labels|annotations|nodeSelector)(\[[^]]*\]|\.[^:]*)")

_BETWEEN = re.compile(r", (?=(?:<nil>|[A-Za-z0-9.[\]]+): (?:Invalid|Required|Unsupported|Duplicate|Too long))")


class Complaint(NamedTuple):
    """One line of a refusal."""

    field: str
    says: str


def manifest(name: str, spec: Spec) -> dict[str, Any]:
    return {**neuron(name, "default"), "spec": spec}


def complaint(line: str) -> Complaint:
    """A refusal's line with its place as the schema writes it: no index, no key of a map."""
    field, _, says = line.partition(": ")
    return Complaint(re.sub(r"\[\d+\]", "[]", _MAPS.sub(r"\1[]", field)), says)


@pytest.fixture(scope="module")
def complaints(kube: Kube) -> dict[str, list[Complaint]]:
    """What the API server says of each bad manifest, asked in one go."""
    names = {title: case.name or f"bad-{number}" for number, (title, case) in enumerate(REFUSED.items())}
    documents = [json.dumps(manifest(names[title], case.spec)) for title, case in REFUSED.items()]
    said = kube.run(*DRY, stdin="\n---\n".join(documents), check=False).stderr
    told = dict(re.findall(r'MLNeuron\.ml\.findawise\.io "([^"]+)" is invalid: (.*)', said))
    return {
        title: [complaint(part) for part in _BETWEEN.split(told.get(name, "").strip("[]"))]
        for title, name in names.items()
    }


@pytest.mark.parametrize("title", REFUSED)
def test_the_api_server_refuses(title: str, complaints: dict[str, list[Complaint]]) -> None:
    case = REFUSED[title]
    found = complaints[title]
    assert any(one.field == case.field and case.says in one.says for one in found), found
    assert not any("evaluating rule" in one.says for one in found), "a rule fell over what another refuses"


@pytest.fixture(scope="module")
def admitted(kube: Kube) -> str:
    """What kubectl says of all good manifests."""
    documents = [json.dumps(manifest(f"good-{number}", spec)) for number, spec in enumerate(ADMITTED.values())]
    done = kube.run(*DRY, stdin="\n---\n".join(documents), check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(("number", "title"), list(enumerate(ADMITTED)))
def test_the_api_server_admits(number: int, title: str, admitted: str) -> None:
    assert f"mlneuron.ml.findawise.io/good-{number} created (server dry run)" in admitted, (title, admitted)


def test_what_is_admitted_becomes_objects_that_the_api_server_takes(kube: Kube) -> None:
    """A rule that is missing here would surface later, as a child that is refused."""
    children = [child for number, spec in enumerate(ADMITTED.values()) for child in desired(f"good-{number}", spec)]
    how = ("--server-side", "--dry-run=server", "--validate=strict")
    with gateway_api(kube):
        done = kube.run("apply", *how, "-f", "-", stdin="\n---\n".join(map(json.dumps, children)))
    assert not done.stderr
    assert len(done.stdout.splitlines()) == len(children)


def desired(name: str, spec: Spec) -> list[dict[str, Any]]:
    return desired_state(parsed(name, spec), RuntimeImages(), 1)


def parsed(name: str, spec: Spec) -> MLNeuron:
    metadata = {"name": name, "namespace": "default", "uid": "u"}
    return MLNeuron.parse({"metadata": metadata, "spec": spec})


def nodes(place: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield place or "<nil>", node
    for name, child in node.get("properties", {}).items():
        yield from nodes(f"{place}.{name}".lstrip("."), child)
    for child in (node[key] for key in ("items", "additionalProperties") if isinstance(node.get(key), dict)):
        yield from nodes(f"{place}[]", child)


def _checks() -> Iterator[tuple[str, str]]:
    """Each rule and pattern of the spec: its place, and words that only its refusal holds."""
    for place, node in nodes("", schema(NEURON)):
        if place.startswith("status"):
            continue
        if "pattern" in node:
            yield place, f"should match '{node['pattern']}'"
        for rule in node.get("x-kubernetes-validations", ()):
            literals = re.findall(r"'([^']*)'", rule.get("messageExpression", ""))
            yield place, rule.get("message") or max(literals, key=lambda text: ("write" in text, len(text)))


@pytest.mark.parametrize(("place", "words"), list(_checks()))
def test_a_manifest_above_breaks(place: str, words: str, complaints: dict[str, list[Complaint]]) -> None:
    """A rule or pattern without a case here is one that nobody has seen refuse anything."""
    everything = [one for found in complaints.values() for one in found]
    assert any(one.field == place and words in one.says.replace("\\\\", "\\") for one in everything)


def test_what_is_left_out_is_filled_in(kube: Kube) -> None:
    uri = "https://models.example.com/m.joblib"
    done = kube.run(*DRY, "-o", "json", stdin=json.dumps(manifest("bare", {"model": {"uri": uri}})))
    stored = json.loads(done.stdout)["spec"]
    assert stored == {
        "type": "Serving",
        "model": {"uri": uri, "acceleration": "Auto"},
        "replicas": 1,
        "batching": {"maxSize": 32, "maxDelay": "0ms", "maxQueue": 1024},
        "serving": {"workers": "auto", "grpc": True, "timeout": "10s", "maxBodyBytes": "4Mi"},
        "traffic": {"subjectHeader": "X-User-Id", "subjectField": "user_id"},
        "federation": {"enabled": True},
    }
    assert parsed("bare", stored) == parsed("bare", {"model": {"uri": uri}}), "the operator's defaults are others"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"model": {"uri": "https://h/m.pt", "url": "x"}}, "spec.model.url"),
        ({"model": {"uri": "https://h/m.pt"}, "replica": 2}, "spec.replica"),
        ({"model": {"uri": "https://h/m.pt"}, "podTemplate": {"spec": {}}}, "spec.podTemplate.spec"),
    ],
)
def test_a_field_that_does_not_exist_is_refused(kube: Kube, spec: Spec, field: str) -> None:
    done = kube.run(*DRY, stdin=json.dumps(manifest("typo", spec)), check=False)
    assert done.returncode
    assert f'unknown field "{field}"' in done.stderr


def test_explain_tells_what_a_field_is_for(kube: Kube) -> None:
    said = eventually(
        "the API server publishes the schema, some time after it serves the kind",
        lambda: kube.run("explain", "mlneuron.spec.model", check=False).stdout,
    )
    text = " ".join(said.split())
    assert "The model that is served." in text
    assert "pvc://CLAIM/PATH (a PersistentVolumeClaim of the same namespace, mounted read-only)" in text
    assert "uri <string> -required-" in text


def test_the_short_name_and_the_category_list_neurons_with_their_columns(kube: Kube, space: str) -> None:
    kube.apply(neuron("shown", space))
    for name in ("mln", "ml"):
        header, row = kube.run("get", name, "-n", space).stdout.splitlines()
        assert header.split() == COLUMNS
        assert row.endswith("s")


def test_scale_sets_the_replicas_and_tells_the_pods(kube: Kube, space: str) -> None:
    kube.apply(neuron("scaled", space))
    kube.run("scale", "mlneuron/scaled", "-n", space, "--replicas=3")
    status = {"replicas": 2, "selector": "ml.findawise.io/neuron=scaled"}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    kube.run("patch", "mlneuron", "scaled", "-n", space, *patch)
    scale = json.loads(kube.run("get", "mlneuron", "scaled", "-n", space, "--subresource=scale", "-o", "json").stdout)
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == status


def test_a_user_cannot_write_the_status(kube: Kube, space: str) -> None:
    kube.apply({**neuron("claims", space), "status": {"readyReplicas": 7}})
    found = kube.get("mlneuron", "claims", space) or {}
    assert "status" not in found
