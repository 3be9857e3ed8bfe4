"""The table: assignment of subjects, and what is refused."""

import json
import random
import subprocess
import sys
from typing import Any

import pytest
from mlneuron_runtime.traffic.slots import SLOTS, allocated, encoded
from mlneuron_runtime.traffic.table import PRIMARY, BadTable, Table, parsed
from scipy import stats  # type: ignore[import-untyped]  # has no stubs here

SUBJECTS = 100_000


def entry(name: str, percent: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "percent": percent, "url": f"http://churn-{name}.ml.svc", **more}


def table(*variants: dict[str, Any], neuron: str = "churn", **more: Any) -> Table:
    content = {"revision": "1", "variants": variants, **more}
    return parsed(json.dumps(content).encode(), "ml", neuron)


def counts(found: Table) -> dict[str, int]:
    names = [found.assigned(b"user-%d" % number) for number in range(SUBJECTS)]
    return {name: names.count(name) for name in found.names}


def test_a_hundred_thousand_subjects_are_spread_as_the_shares_say() -> None:
    shares = {"a": 10.0, "b": 0.5, "c": 33.33}
    found = counts(table(*(entry(name, share) for name, share in shares.items())))
    expected = {PRIMARY: 100 - sum(shares.values()), **shares}
    test = stats.chisquare([found[name] for name in expected], [share / 100 * SUBJECTS for share in expected.values()])
    assert test.pvalue > 0.001


def test_a_hundred_thousand_subjects_are_spread_evenly_over_the_slots() -> None:
    held = [
        counts(table(entry("a", 1.0, slots=encoded(range(start, start + 100)))))["a"] for start in range(0, SLOTS, 1000)
    ]
    test = stats.chisquare([*held, SUBJECTS - sum(held)], [SUBJECTS / 100] * 10 + [SUBJECTS * 0.9])
    assert test.pvalue > 0.001


def test_nothing_and_everything_are_exact() -> None:
    assert counts(table(entry("a", 0)))["a"] == 0
    assert counts(table(entry("a", 100)))["a"] == SUBJECTS
    assert table(entry("a", 100)).anyone(random.Random(1)) == "a"  # noqa: S311  # no secret


def test_neurons_are_independent_of_each_other() -> None:
    """Who is in one neuron's experiment is not for that in another's."""
    one, other = table(entry("a", 50)), table(entry("a", 50), neuron="fraud")
    both = sum(
        one.assigned(b"user-%d" % number) == other.assigned(b"user-%d" % number) == "a" for number in range(20_000)
    )
    assert stats.binomtest(both, 20_000, 0.25).pvalue > 0.001


def test_assignment_is_the_same_in_another_process_with_another_seed() -> None:
    code = (
        "import json; from mlneuron_runtime.traffic.table import parsed\n"
        "t = parsed(json.dumps({'revision': '1', 'variants': [{'name': 'a', 'percent': 40, 'url': 'http://a'}]})"
        ".encode(), 'ml', 'churn')\n"
        "print(''.join(t.assigned(b'user-%d' % n)[0] for n in range(300)))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = table(entry("a", 40))
    assert found == {"".join(here.assigned(b"user-%d" % number)[0] for number in range(300))}


def test_slots_in_the_table_are_those_in_force() -> None:
    held = allocated({"a": 1000, "b": 2000}, allocated({"a": 3000, "b": 2000}))
    found = table(entry("a", 10, slots=encoded(held["a"])), entry("b", 20, slots=encoded(held["b"])))
    for place, name in enumerate(found.names[1:], 1):
        assert {slot for slot in range(SLOTS) if found.owners[slot] == place} == held[name]


def test_a_shadow_has_no_subjects() -> None:
    found = table(entry("a", 100, mode="Shadow"))
    assert counts(found)["a"] == 0
    assert [variant.name for variant in found.shadows] == ["a"]


def test_a_newer_operators_keys_are_ignored() -> None:
    assert table(entry("a", 1, color="blue"), since="today").revision == "1"


@pytest.mark.parametrize(
    ("variants", "told"),
    [
        ([entry("a", 60), entry("b", 60)], r"add up to 120 % \(a 60, b 60\)"),
        ([entry("a", 1, slots=encoded(range(99)))], "a has 99 slots, and 1 % are 100"),
        ([entry("a", 1, slots=encoded(range(100))), entry("b", 1, slots=encoded(range(99, 199)))], "slot 99 is of a"),
        ([entry("a", 1, slots="?")], "a: slots must be base64"),
        ([entry("a", 1), entry("a", 2)], "names must differ"),
        ([entry("primary", 1)], "none may be primary"),
        ([entry(f"v{number}", 1) for number in range(9)], "at most 8"),
        ([entry("a", 101)], "percent"),
        ([{**entry("a", 1), "url": "https://a"}], "url"),
        ([{**entry("a", 1), "url": "http://a/path"}], "url"),
        ([{**entry("a", 1), "mode": "Canary"}], "mode"),
        ([{**entry("a", 1), "grpc": "http://a"}], "grpc"),
        ([entry("A", 1)], "name"),
    ],
)
def test_a_wrong_table_is_refused_with_what_is_wrong(variants: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BadTable, match=told):
        table(*variants)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(BadTable, match=r"traffic\.json"):
        parsed(content, "ml", "churn")
