"""What the values make of the chart, and what a wrong one is told; helm alone, no cluster."""

from typing import Any

import pytest
import yaml
from mlneuron_operator.api.crd import DEFINITIONS as KINDS
from mlneuron_operator.api.crd import crd
from mlneuron_operator.settings import Settings

from .helm import CHART, NAMESPACE, VALUE_SETS, Object, Values, helm, only, render, template


class Reads(dict[str, str]):
    """An environment that remembers which variables were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def environment(values: Values) -> Reads:
    """The operator's environment as its Deployment sets it; fields of the pod as a name."""
    (container,) = only(render(values), "Deployment")["spec"]["template"]["spec"]["containers"]
    return Reads({item["name"]: item.get("value", "the-pods") for item in container["env"]})


@pytest.mark.parametrize("title", VALUE_SETS)
def test_helm_lint_has_nothing_to_say_of(title: str) -> None:
    done = helm("lint", "--strict", "--quiet", str(CHART), values=VALUE_SETS[title])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replica": 2}, "replica"),
        ({"image": {"repo": "a"}}, "repo"),
        ({"image": {"repository": ""}}, "repository"),
        ({"replicas": "2"}, "integer"),
        ({"runtime": {"image": "a"}}, "image"),
        ({"federation": {"url": "core.example.com"}}, "pattern"),
        ({"watchNamespaces": "ml"}, "array"),
        ({"requireModelDigest": "yes"}, "requireModelDigest"),
        ({"watchNamespaces": ["ml", "ml"]}, "watchNamespaces"),
        ({"watchNamespaces": ["ML"]}, "watchNamespaces"),
        ({"log": {"level": "TRACE"}}, "level"),
        ({"crds": {"install": "yes"}}, "boolean"),
        ({"metrics": {"serviceMonitor": {"interval": "30"}}}, "interval"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"podLabels": {"team": 1}}, "podLabels"),
    ],
)
def test_a_wrong_value_is_refused_by_name(values: Values, says: str) -> None:
    done = template(values)
    assert done.returncode
    assert "values don't meet the specifications of the schema" in done.stderr
    assert says in done.stderr


def test_the_operator_reads_every_variable_that_the_chart_sets() -> None:
    reads = environment({})
    Settings.from_env(reads)
    assert set(reads) <= reads.names


def test_the_values_arrive_as_settings() -> None:
    settings = Settings.from_env(
        environment(
            {
                "image": {"repository": "registry.example.com/team/mlneuron-operator", "tag": "2"},
                "runtime": {"imagePullPolicy": "Always"},
                "requireModelDigest": True,
                "federation": {"url": "https://core.example.com"},
                "watchNamespaces": ["ml", "ml-staging"],
                "log": {"level": "DEBUG"},
                "fullnameOverride": "neurons",
            }
        )
    )
    assert settings.images.cpu == "registry.example.com/team/mlneuron-runtime:2"
    assert settings.images.gpu == "registry.example.com/team/mlneuron-runtime:2-gpu"
    assert settings.images.pull_policy == "Always"
    assert settings.require_model_digest
    assert settings.federation_url == "https://core.example.com"
    assert settings.watch_namespaces == ("ml", "ml-staging")
    assert settings.log_level == "DEBUG"
    assert settings.lease_name == "neurons"


def test_the_port_that_is_probed_and_scraped_is_the_one_that_the_operator_opens() -> None:
    objects = render(VALUE_SETS["a service monitor"])
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": Settings().metrics_port}]
    (port,) = only(objects, "Service")["spec"]["ports"]
    assert port["targetPort"] == "metrics"
    assert only(objects, "ServiceMonitor")["spec"]["endpoints"][0]["port"] == port["name"]


def test_the_crds_of_the_release_are_the_generated_ones_and_stay_when_it_goes() -> None:
    shipped = definitions({})
    assert {name: item["spec"] for name, item in shipped.items()} == {kind.name: crd(kind)["spec"] for kind in KINDS}
    for item in shipped.values():
        assert item["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not [item for item in definitions({"crds": {"keep": False}}).values() if "annotations" in item["metadata"]]
    assert not definitions({"crds": {"install": False}})


def definitions(values: Values) -> dict[str, Object]:
    found = (item for item in render(values) if item["kind"] == "CustomResourceDefinition")
    return {item["metadata"]["name"]: item for item in found}


def test_only_more_than_one_replica_has_a_budget() -> None:
    assert not [item for item in render({}) if item["kind"] == "PodDisruptionBudget"]
    objects = render({"replicas": 2})
    pods = only(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selector = only(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pods.items()


def test_every_selector_meets_the_pods_alone() -> None:
    objects = render(VALUE_SETS["a service monitor"])
    deployment, service = only(objects, "Deployment"), only(objects, "Service")
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pods.items()
    assert service["spec"]["selector"].items() <= pods.items()
    scraped = only(objects, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert scraped.items() <= service["metadata"]["labels"].items()


@pytest.mark.parametrize("title", VALUE_SETS)
def test_everything_is_in_the_release_or_a_watched_namespace(title: str) -> None:
    allowed = {NAMESPACE, *VALUE_SETS[title].get("watchNamespaces", ())}
    clusterwide = {"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"}
    for item in render(VALUE_SETS[title]):
        namespace = item["metadata"].get("namespace")
        assert (namespace is None) == (item["kind"] in clusterwide), item["metadata"]
        assert namespace is None or namespace in allowed


def test_the_documented_values_are_those_that_the_schema_knows() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}
