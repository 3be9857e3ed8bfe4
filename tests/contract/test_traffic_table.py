"""The table that the operator writes is the one that the runtime takes."""

import json
from typing import Any

import pytest
from mlneuron_operator.api.neuron import MLNeuron
from mlneuron_operator.desired.traffic import traffic_map
from mlneuron_operator.traffic import Competitor, split
from mlneuron_runtime.traffic.table import MOST_VARIANTS, parsed

METADATA = {"name": "churn", "namespace": "ml", "uid": "u"}
SPEC: dict[str, Any] = {"model": {"uri": "https://models.example.com/m.joblib"}}


def neuron(**spec: Any) -> MLNeuron:
    return MLNeuron.parse({"metadata": METADATA, "spec": {**SPEC, **spec}})


def variant(name: str, share: int, *, ready: bool = True, splits: bool = True) -> Competitor:
    return Competitor(name, splits, share, ready, "2026-11-24T12:00:00Z", "2.0.0")


@pytest.mark.parametrize("grpc", [True, False])
@pytest.mark.parametrize(
    "variants",
    [
        [],
        [variant("candidate", 1000)],
        [variant("candidate", 1000, ready=False)],
        [variant("a", 3333), variant("b", 1), variant("c", 6666)],
        [variant("a", 10000)],
        [variant("shadow", 5000, splits=False), variant("a", 0)],
        [variant(f"v{number}", 100) for number in range(MOST_VARIANTS)],
        [variant(f"v{number}", 100) for number in range(MOST_VARIANTS + 3)],
    ],
    ids=[
        "none any more",
        "one",
        "one that is away",
        "three",
        "everything",
        "a shadow",
        "as many as can be",
        "too many",
    ],
)
def test_the_runtime_takes_the_table(variants: list[Competitor], grpc: bool) -> None:
    which = neuron(traffic={"subjectHeader": "X-Account", "subjectField": "account"}, serving={"grpc": grpc})
    found = split(which, variants, True, {"revision": "0", "variants": []})
    assert found.table is not None
    content = traffic_map(which, found.table)["data"]["traffic.json"]
    table = parsed(content.encode(), "ml", "churn")
    assert table.revision == found.revision
    assert (table.where.header, table.where.field) == (b"x-account", "account")
    owners = [table.names[place] for place in table.owners]
    assert {name: owners.count(name) for name in set(owners)} == {
        name: share for name, share in found.shares.items() if share
    }
    for name, one in table.variants.items():
        assert one.address == (f"churn-{name}.ml.svc", 80)
        assert one.grpc == (f"churn-{name}.ml.svc:8081" if grpc else None)
        assert table.pinned("2.0.0") in table.variants


def test_a_share_that_grows_takes_subjects_from_the_primary_alone() -> None:
    first = split(neuron(), [variant("a", 1000), variant("b", 2000)], True, None)
    later = split(neuron(), [variant("a", 3000), variant("b", 2000)], True, first.table)
    before, after = (parsed(json.dumps(one.table).encode(), "ml", "churn") for one in (first, later))
    moves = {
        (before.names[old], after.names[new])
        for old, new in zip(before.owners, after.owners, strict=True)
        if before.names[old] != after.names[new]
    }
    assert moves == {("primary", "a")}
