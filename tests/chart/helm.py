"""helm for tests: the chart rendered to dictionaries."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from dev import tools

CHART = Path(__file__).parents[2] / "charts" / "mlneuron-operator"
NAMESPACE = "mlneuron-system"
RELEASE = "mlneuron-operator"
OLDEST = "1.30.0"
"""The oldest Kubernetes that the chart admits; rendering for it needs no cluster."""

Object = dict[str, Any]
Values = dict[str, Any]

VALUE_SETS: dict[str, Values] = {
    "the defaults": {},
    "a standby": {"replicas": 2},
    "some namespaces": {"watchNamespaces": ["ml", "ml-staging"], "federation": {"url": "https://core.example.com"}},
    "a federation core": {"federation": {"url": "https://core.example.com"}},
    "a service monitor": {"metrics": {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}},
    "no CRD": {"crds": {"install": False}},
    "a CRD that goes with the release": {"crds": {"keep": False}},
    "no rights for users": {"rbac": {"aggregate": False}},
    "everything about pods": {
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccount": {"annotations": {"example.com/role": "reader"}},
        "podAnnotations": {"example.com/note": "true"},
        "podLabels": {"team": "ml"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "fullnameOverride": "neurons",
    },
}


def helm(*args: str, values: Values | None = None) -> "subprocess.CompletedProcess[str]":
    """Run helm, with values on its standard input."""
    command = [str(tools.program("helm")), *args, *(("--values", "-") if values is not None else ())]
    stdin = yaml.safe_dump(values) if values is not None else None
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def template(values: Values) -> "subprocess.CompletedProcess[str]":
    """Try to render the chart."""
    args = ("--namespace", NAMESPACE, "--kube-version", OLDEST)
    return helm("template", RELEASE, str(CHART), *args, values=values)


def render(values: Values) -> list[Object]:
    """The objects of a release."""
    done = template(values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def only(objects: list[Object], kind: str) -> Object:
    """The one object of a kind."""
    (found,) = (item for item in objects if item["kind"] == kind)
    return found
