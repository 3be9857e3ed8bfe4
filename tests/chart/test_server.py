"""The chart before a real API server: every field known, every pod admitted, every right as meant."""

import json
import subprocess

import pytest
import yaml

from dev import tools
from tests.support.kube import Kube

from .helm import NAMESPACE, RELEASE, VALUE_SETS, Object, Values, render
from .openapi import write_schemas

pytestmark = pytest.mark.integration

FOREIGN = "ServiceMonitor"
"""The one kind that comes from another project's CRD."""


def native(values: Values) -> list[Object]:
    return [item for item in render(values) if item["kind"] != FOREIGN]


@pytest.mark.parametrize("title", VALUE_SETS)
def test_the_api_server_takes_everything_without_a_warning(title: str, server: Kube) -> None:
    """Strict validation knows every field; a warning would tell of the restricted standard or an old API."""
    documents = "\n---\n".join(map(json.dumps, native(VALUE_SETS[title])))
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    done = server.run("apply", *how, "-f", "-", stdin=documents)
    assert not done.stderr
    assert len(done.stdout.splitlines()) == len(native(VALUE_SETS[title]))


@pytest.fixture(scope="session")
def schemas(server: Kube, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds the schemas of the API server's kinds."""
    document = json.loads(server.run("get", "--raw", "/openapi/v2").stdout)
    return write_schemas(document, tmp_path_factory.mktemp("schemas"))


def kubeconform(schemas: str, objects: list[Object]) -> "subprocess.CompletedProcess[str]":
    command = [str(tools.program("kubeconform")), "-strict", "-summary", "-schema-location", schemas]
    text = yaml.safe_dump_all(objects)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def test_kubeconform_finds_no_fault(schemas: str) -> None:
    objects = [item for values in VALUE_SETS.values() for item in native(values)]
    done = kubeconform(schemas, objects)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Valid: {len(objects)}, Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


def test_kubeconform_would_find_a_field_that_is_none(schemas: str) -> None:
    broken = [{**item, "sepc": {}} for item in native({}) if item["kind"] == "Deployment"]
    done = kubeconform(schemas, broken)
    assert done.returncode
    assert "sepc" in done.stdout


@pytest.fixture(scope="module")
def installed(server: Kube) -> Kube:
    """The API server with a release's accounts and roles, serving two namespaces with a federation core."""
    values = VALUE_SETS["some namespaces"]
    server.apply(*(item for item in native(values) if "Role" in item["kind"] or item["kind"] == "ServiceAccount"))
    return server


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "answer"),
    [
        ("patch", "deployments.apps", "ml", "yes"),
        ("patch", "mlneurons.ml.findawise.io/status", "ml-staging", "yes"),
        ("get", "secrets", NAMESPACE, "yes"),
        ("update", "leases.coordination.k8s.io", NAMESPACE, "yes"),
        ("get", "secrets", "ml", "no"),
        ("patch", "deployments.apps", "default", "no"),
        ("patch", "deployments.apps", NAMESPACE, "no"),
        ("delete", "secrets", NAMESPACE, "no"),
        ("patch", "mlneurons.ml.findawise.io", "ml", "no"),
        ("patch", "modelvariants.ml.findawise.io/status", "ml", "yes"),
        ("patch", "modelvariants.ml.findawise.io", "ml", "no"),
        ("patch", "pods", "ml", "yes"),
        ("patch", "pods", "default", "no"),
        ("create", "pods", "ml", "no"),
        ("delete", "pods", "ml", "no"),
        ("list", "mlneurons.ml.findawise.io", "default", "no"),
    ],
)
def test_the_api_server_grants(verb: str, resource: str, namespace: str, answer: str, installed: Kube) -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:{RELEASE}"
    name, _, sub = resource.partition("/")
    asked = ("auth", "can-i", verb, name, *((f"--subresource={sub}",) if sub else ()), "-n", namespace, account)
    assert installed.run(*asked, check=False).stdout.strip() == answer
