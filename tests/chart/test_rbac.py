"""Least privilege: what the operator may do, read off the chart's roles."""

from collections.abc import Iterator

import pytest
from mlneuron_operator.kinds import CHILD_KINDS, NEURON, POD, VARIANT

from .helm import NAMESPACE, RELEASE, VALUE_SETS, Object, Values, render

FEDERATED: Values = {"federation": {"url": "https://core.example.com"}}


def bound(values: Values) -> Iterator[Object]:
    """The roles that the operator's ServiceAccount is bound to."""
    objects = render(values)
    roles = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]): item for item in objects}
    for item in objects:
        if item["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
            assert item["subjects"] == [{"kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE}]
            yield roles[item["roleRef"]["kind"], item["metadata"].get("namespace"), item["roleRef"]["name"]]


def rights(values: Values) -> set[tuple[str, str, str, str]]:
    """(namespace, group, resource, verb) that the operator holds; the namespace is * for all."""
    return {
        (role["metadata"].get("namespace", "*"), group, resource, verb)
        for role in bound(values)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("title", [title for title, values in VALUE_SETS.items() if "fullnameOverride" not in values])
def test_no_right_is_a_wildcard_or_a_way_to_more(title: str) -> None:
    held = rights(VALUE_SETS[title])
    assert not [right for right in held if "*" in right[1:]]
    assert not {verb for *_, verb in held} & {"escalate", "bind", "impersonate", "deletecollection"}
    assert not {group for _, group, *_ in held} & {"rbac.authorization.k8s.io", "apiextensions.k8s.io"}
    assert not {resource for *_, resource, _ in held} & {"pods/exec", "pods/attach", "serviceaccounts/token", "nodes"}


@pytest.mark.parametrize("values", [FEDERATED, {**FEDERATED, "watchNamespaces": ["ml"]}])
def test_secrets_are_only_the_operators_own(values: Values) -> None:
    places = {place for place, _, resource, _ in rights(values) if resource == "secrets"}
    assert places == {NAMESPACE}


def test_without_a_federation_core_no_secret_can_be_read() -> None:
    assert not {right for right in rights({}) if right[2] == "secrets"}


def test_the_lease_is_only_the_operators_own() -> None:
    assert {place for place, _, resource, _ in rights({}) if resource == "leases"} == {NAMESPACE}


def test_with_watched_namespaces_no_right_reaches_further() -> None:
    assert {place for place, *_ in rights({"watchNamespaces": ["ml", "b"]})} == {"ml", "b", NAMESPACE}


@pytest.mark.parametrize("values", [{}, {"watchNamespaces": ["ml"]}])
def test_the_operator_may_do_what_it_does(values: Values) -> None:
    place = "ml" if values else "*"
    held = rights(values)
    for kind in CHILD_KINDS:
        group = kind.api_version.rpartition("/")[0]
        for verb in ("list", "watch", "create", "patch", "delete"):
            assert (place, group, kind.plural, verb) in held
    assert {(place, "", POD.plural, verb) for verb in ("list", "watch")} <= held
    for kind in (NEURON, VARIANT):
        assert (place, "ml.findawise.io", f"{kind.plural}/status", "patch") in held
        assert (place, "ml.findawise.io", kind.plural, "watch") in held


def test_the_operator_never_writes_a_neuron_or_a_variant_and_makes_and_deletes_no_pod() -> None:
    looks = {"get", "list", "watch"}
    for resource, verbs in ((NEURON.plural, looks), (VARIANT.plural, looks), (POD.plural, looks | {"patch"})):
        assert {verb for _, _, name, verb in rights({}) if name == resource} == verbs


def test_users_get_no_right_on_a_neurons_status() -> None:
    edit = next(item for item in render({}) if item["metadata"]["name"] == f"{RELEASE}-edit")
    assert not [rule for rule in edit["rules"] if "mlneurons/status" in rule["resources"]]
    assert not [item for item in render({"rbac": {"aggregate": False}}) if item["metadata"]["name"].endswith("-edit")]
