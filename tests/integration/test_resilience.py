"""The operator through restarts, successions and outages: it loses nothing and repeats nothing."""

import signal
from pathlib import Path

import pytest
import yaml

from tests.integration.conftest import Start
from tests.integration.neurons import EVERYTHING, SHARED, neuron
from tests.support.breakable import BreakableLink
from tests.support.kube import Kube, eventually
from tests.support.operator_process import OperatorProcess, operator

pytestmark = pytest.mark.integration


def test_a_restart_with_settled_neurons_writes_nothing(kube: Kube, space: str, start: Start) -> None:
    with start() as first:
        first.wait_until_leading()
        for number in range(5):
            kube.apply(neuron(f"n{number}", space, **EVERYTHING))
        kube.apply(neuron("shared", space, **SHARED))
        eventually("all settled", lambda: all_scheduled(kube, space, 5) and first.settled(), 30)
        quiet(first)
    with start() as second:
        eventually("all looked at", lambda: second.metric("mlneuron_operator_reconciles_total") >= 6)
        eventually("settled", second.settled)
        assert second.writes() == 0


def all_scheduled(kube: Kube, space: str, count: int) -> bool:
    return len([item for item in kube.items("pods", space) if item["metadata"]["name"]]) >= 2 * count


def quiet(process: OperatorProcess) -> None:
    """Wait until the operator has had nothing to write for a while."""
    seen: list[float] = []

    def still() -> bool:
        seen.append(process.writes())
        return len(seen) > 10 and len(set(seen[-10:])) == 1

    eventually("the operator writes no more", still, 60, every=0.3)


def test_what_changed_while_no_operator_ran_is_caught_up(kube: Kube, space: str, start: Start) -> None:
    with start() as first:
        first.wait_until_leading()
        kube.apply(neuron("churn", space), neuron("gone", space))
        eventually("children", lambda: kube.get("deployment", "churn", space) and kube.get("deployment", "gone", space))
    kube.delete("service", "churn", space)
    kube.delete("mlneuron", "gone", space)
    kube.apply(neuron("late", space))
    with start() as second:
        second.wait_until_leading()
        eventually("the service is back", lambda: kube.get("service", "churn", space))
        eventually("the new neuron's children", lambda: kube.get("deployment", "late", space))
        eventually("the deleted neuron's are gone", lambda: kube.get("deployment", "gone", space) is None)


def test_a_standby_takes_over_from_a_killed_leader(kube: Kube, space: str, start: Start) -> None:
    with start() as leader:
        leader.wait_until_leading()
        with start() as standby:
            eventually("the standby serves its metrics", standby.metrics)
            assert not standby.leads()
            leader.stop(signal.SIGKILL)
            kube.apply(neuron("churn", space))
            eventually("the standby leads", standby.leads, 30)
            eventually("and works", lambda: kube.get("deployment", "churn", space))


def test_a_leader_that_ends_hands_over_at_once(kube: Kube, start: Start) -> None:
    with start() as leader:
        leader.wait_until_leading()
        with start() as standby:
            eventually("the standby serves its metrics", standby.metrics)
            assert leader.stop() == 0
            eventually("the standby leads well before the lease would run out", standby.leads, 8)


def test_a_short_outage_of_the_api_server_is_survived(kube: Kube, space: str, tmp_path: Path) -> None:
    with BreakableLink(api_port(kube)) as link, operator(through(kube, link, tmp_path), tmp_path / "log") as process:
        process.wait_until_leading()
        kube.apply(neuron("before", space))
        eventually("children before", lambda: kube.get("deployment", "before", space))
        link.cut()
        kube.apply(neuron("during", space))
        kube.delete("service", "before", space)
        eventually("the operator notices", lambda: "interrupted" in process.log.read_text())
        link.mend()
        eventually("what came meanwhile", lambda: kube.get("deployment", "during", space))
        eventually("what went meanwhile", lambda: kube.get("service", "before", space))
        assert process.process.poll() is None


def test_a_leader_that_cannot_renew_its_lease_ends_before_another_may_lead(kube: Kube, tmp_path: Path) -> None:
    with BreakableLink(api_port(kube)) as link, operator(through(kube, link, tmp_path), tmp_path / "log") as process:
        process.wait_until_leading()
        link.cut()
        assert process.process.wait(15 + 15) == 1
        assert "leadership lost" in process.log.read_text()


def api_port(kube: Kube) -> int:
    server: str = yaml.safe_load(kube.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return int(server.rpartition(":")[2])


def through(kube: Kube, link: BreakableLink, folder: Path) -> Path:
    """A kubeconfig that goes through the link."""
    text = kube.kubeconfig.read_text().replace(f":{api_port(kube)}", f":{link.port}")
    path = folder / "kubeconfig"
    path.write_text(text)
    return path
