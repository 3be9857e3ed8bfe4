"""The store: newest wins, deletions stick, neurons find their own."""

from typing import Any

from mlneuron_operator.engine.store import Store
from mlneuron_operator.kinds import CONFIG_MAP, DEPLOYMENT, NEURON

KEY = ("ml", "churn")


def obj(name: str, version: int, uid: str = "u1", neuron: str | None = "churn", **rest: Any) -> dict[str, Any]:
    labels = {"ml.findawise.io/neuron": neuron} if neuron else {}
    meta = {"name": name, "namespace": "ml", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": meta, **rest}


def names(store: Store) -> set[str]:
    return {name for _, name in store.owned(KEY, (CONFIG_MAP,))}


def test_a_new_object_tells_its_neuron() -> None:
    store = Store()
    assert store.put(CONFIG_MAP, obj("c", 1)) == {KEY}
    assert names(store) == {"c"}


def test_the_same_or_an_older_version_tells_nothing() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 5, data={"a": "new"}))
    assert store.put(CONFIG_MAP, obj("c", 5)) == set()
    assert store.put(CONFIG_MAP, obj("c", 4, data={"a": "old"})) == set()
    assert store.owned(KEY, (CONFIG_MAP,))[CONFIG_MAP, "c"]["data"] == {"a": "new"}


def test_a_new_version_without_a_change_that_matters_tells_nothing() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1, data={"a": "1"}))
    assert store.put(CONFIG_MAP, obj("c", 2, data={"a": "1"})) == set()
    assert store.put(CONFIG_MAP, obj("c", 1, data={"a": "0"})) == set(), "the version must have moved all the same"


def test_a_late_update_does_not_bring_a_deleted_object_back() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1))
    assert store.delete(CONFIG_MAP, obj("c", 3)) == {KEY}
    assert store.put(CONFIG_MAP, obj("c", 2)) == set()
    assert names(store) == set()


def test_a_deletion_seen_before_its_object_sticks() -> None:
    store = Store()
    assert store.delete(CONFIG_MAP, obj("c", 3)) == set()
    assert store.put(CONFIG_MAP, obj("c", 2)) == set()


def test_an_object_made_anew_under_the_same_name_is_another_one() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1, "old"))
    store.put(CONFIG_MAP, obj("c", 5, "new"))
    assert store.delete(CONFIG_MAP, obj("c", 4, "old")) == set()
    assert names(store) == {"c"}


def test_an_object_that_loses_its_label_is_gone_and_may_come_back() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1))
    assert store.put(CONFIG_MAP, obj("c", 2, neuron=None)) == {KEY}
    assert names(store) == set()
    assert store.put(CONFIG_MAP, obj("c", 3)) == {KEY}
    assert names(store) == {"c"}


def test_a_full_list_removes_what_it_lacks_but_not_what_came_later() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("stays", 1, "a"))
    store.put(CONFIG_MAP, obj("gone", 2, "b"))
    store.put(CONFIG_MAP, obj("younger", 9, "c"))
    assert store.prune(CONFIG_MAP, {("ml", "stays")}, before=5, namespace=None) == {KEY}
    assert names(store) == {"stays", "younger"}


def test_a_list_of_one_namespace_speaks_of_no_other() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1))
    assert store.prune(CONFIG_MAP, set(), before=5, namespace="other") == set()
    assert names(store) == {"c"}


def test_an_object_moves_from_one_neuron_to_another_with_its_label() -> None:
    store = Store()
    store.put(CONFIG_MAP, obj("c", 1))
    assert store.put(CONFIG_MAP, obj("c", 2, neuron="other")) == {KEY, ("ml", "other")}
    assert names(store) == set()


def test_a_neuron_is_found_by_its_own_name_and_gone_once_deleted() -> None:
    store = Store()
    neuron = obj("churn", 1, neuron=None, spec={"a": 1})
    assert store.put(NEURON, neuron) == {KEY}
    assert store.neuron(KEY) is not None
    assert list(store.neurons()) == [KEY]
    store.delete(NEURON, obj("churn", 2, neuron=None))
    assert store.neuron(KEY) is None


def test_deletions_are_remembered_within_bounds() -> None:
    store = Store(tombstones=2)
    for number in range(5):
        store.delete(CONFIG_MAP, obj("c", 10, str(number)))
    assert store.put(CONFIG_MAP, obj("c", 5, "0")) == {KEY}, "the oldest was forgotten"
    assert store.put(CONFIG_MAP, obj("d", 5, "4")) == set()


def test_it_is_known_who_set_the_replicas() -> None:
    store = Store()
    field: dict[str, Any] = {"fieldsV1": {"f:spec": {"f:replicas": {}}}}
    for version, entry, own in [
        (1, {"manager": "mlneuron-operator", "operation": "Apply", **field}, True),
        (2, {"manager": "kube-controller-manager", "subresource": "scale", **field}, False),
    ]:
        deployment = obj("churn", version, spec={"replicas": 2}, status={})
        deployment["metadata"]["managedFields"] = [entry]
        store.put(DEPLOYMENT, deployment)
        assert store.owned(KEY, (DEPLOYMENT,))[DEPLOYMENT, "churn"]["ownsReplicas"] is own
