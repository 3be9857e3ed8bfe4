"""Which programs are built, and where they lie."""

from pathlib import Path

import pytest

from dev import nodehost
from dev.errors import DevError
from dev.paths import cache
from dev.tools import TOOLS, GoTool, program


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLNEURON_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache() == tmp_path / "mlneuron-dev"
    monkeypatch.setenv("MLNEURON_CACHE", str(tmp_path / "mine"))
    assert cache() == tmp_path / "mine"


def test_other_flags_or_programs_are_another_build() -> None:
    helm = TOOLS["helm"]
    other = GoTool("helm", helm.packages, helm.about, ("-X a.b=c",))
    assert other.folder != helm.folder
    assert helm.programs == ("helm",)
    assert TOOLS["coredns"].programs == ("coredns",)


def test_a_built_program_is_taken_before_the_machines_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLNEURON_CACHE", str(tmp_path))
    built = TOOLS["kubernetes"].folder / "kubectl"
    built.parent.mkdir(parents=True)
    built.touch()
    assert program("kubectl") == built


def test_without_go_the_machines_own_program_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLNEURON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DevError, match="go is needed"):
        program("kubectl")
    theirs = tmp_path / "kubectl"
    theirs.touch(mode=0o755)
    assert program("kubectl") == theirs


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
def test_every_tool_is_pinned_by_a_go_sum(tool: GoTool) -> None:
    assert (tool.module / "go.mod").exists()
    assert (tool.module / "go.sum").exists()


def test_two_nodes_share_no_address() -> None:
    first, second = nodehost.address(0), nodehost.address(1)
    assert {first.host, first.pods, first.services}.isdisjoint({second.host, second.pods, second.services})
    assert first.kubernetes_service == "10.96.0.1"
    assert second.kubernetes_service == "10.97.0.1"
