"""The chart's choices on a real cluster."""

import pytest

from dev import quickstart
from tests.e2e.conftest import SPACE, Install, Lab
from tests.support.kube import eventually

pytestmark = pytest.mark.e2e

ACCOUNT = f"system:serviceaccount:{quickstart.NAMESPACE}:mlneuron-operator"


def may(lab: Lab, verb: str, resource: str, namespace: str) -> bool:
    asked = ("auth", "can-i", verb, resource, "-n", namespace, f"--as={ACCOUNT}")
    return lab.kube.run(*asked, check=False).stdout.strip() == "yes"


def test_the_operator_reads_no_secret_but_its_own(lab: Lab) -> None:
    assert may(lab, "list", "secrets", quickstart.NAMESPACE)
    assert not may(lab, "list", "secrets", SPACE)
    assert not may(lab, "create", "pods/exec", SPACE)


def test_an_operator_of_one_namespace_serves_it_and_has_no_rights_in_others(lab: Lab, install: Install) -> None:
    install(f"watchNamespaces={{{SPACE}}}")
    try:
        lab.neuron("narrow")
        lab.ready("narrow")
        assert not may(lab, "list", "deployments.apps", "default")
        lab.kube.delete("service", "narrow", SPACE)
        eventually("it is mended", lambda: lab.kube.get("service", "narrow", SPACE), 10)
    finally:
        lab.delete("narrow")
        install()


def test_two_operators_stand_by_for_each_other(lab: Lab, install: Install) -> None:
    install("replicas=2")
    try:
        leader = eventually("a leader", lambda: holder(lab))
        lab.kube.delete("pod", leader, quickstart.NAMESPACE)
        eventually("another leads", lambda: holder(lab) not in (None, "", leader), 40)
        lab.neuron("succession")
        lab.ready("succession")
    finally:
        lab.delete("succession")
        install()


def holder(lab: Lab) -> str | None:
    lease = lab.kube.get("lease", "mlneuron-operator", quickstart.NAMESPACE)
    name: str | None = lease["spec"].get("holderIdentity") if lease else None
    return name
