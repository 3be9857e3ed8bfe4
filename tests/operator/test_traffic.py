"""Which model has which share: by readiness, within 100 percent, and with a memory of who had whom."""

from typing import Any

import pytest
from mlneuron_operator.slots import decoded
from mlneuron_operator.traffic import MOST_VARIANTS, Competitor, Split, in_words, split

from .facts import neuron


def one(
    name: str = "candidate", share: int = 1000, *, ready: bool = True, splits: bool = True, created: str = "1"
) -> Competitor:
    return Competitor(name, splits, share, ready, created)


def now(*variants: Competitor, primary: bool = True, before: Split | None = None) -> Split:
    return split(neuron(), variants, primary, before.table if before else None)


def slots(found: Split, name: str) -> set[int]:
    assert found.table is not None
    (entry,) = (item for item in found.table["variants"] if item["name"] == name)
    return set(decoded(entry["slots"]))


@pytest.mark.parametrize(
    ("variants", "primary", "words"),
    [
        ([], True, "primary=100"),
        ([], False, "none"),
        ([one()], True, "primary=90 candidate=10"),
        ([one(share=1)], True, "primary=99.99 candidate=0.01"),
        ([one(ready=False)], True, "primary=100"),
        ([one(share=0)], True, "primary=100"),
        ([one(share=10000)], True, "primary=0 candidate=100"),
        ([one(splits=False)], True, "primary=100"),
        ([one("b"), one("a", 2550)], True, "primary=64.5 a=25.5 b=10"),
        ([one()], False, "candidate=100"),
        ([one("a", 100), one("b", 200)], False, "b=100"),
        ([one(share=0)], False, "none"),
        ([one(splits=False)], False, "none"),
        ([one(ready=False)], False, "none"),
    ],
)
def test_the_split_follows_readiness(variants: list[Competitor], primary: bool, words: str) -> None:
    assert in_words(now(*variants, primary=primary).shares) == words


def test_a_neuron_that_never_had_a_variant_has_no_table_and_one_that_had_keeps_an_empty_one() -> None:
    assert now().table is None
    left = now(before=now(one()))
    assert left.table is not None
    assert left.table["variants"] == []


@pytest.mark.parametrize(
    ("variant", "front"),
    [(one(), "candidate"), (one(share=0), None), (one(ready=False), None), (one(splits=False), None)],
)
def test_the_service_turns_only_to_a_variant_that_serves_and_has_a_share(
    variant: Competitor, front: str | None
) -> None:
    assert now(variant, primary=False).front == front
    assert now(variant, primary=True).front is None


def test_shares_over_100_are_told_with_sum_and_names_and_the_last_good_split_stays() -> None:
    good = now(one("a", 6000, created="1"))
    over = now(one("a", 6000, created="1"), one("b", 5050, created="2"), before=good)
    assert over.excess is not None
    assert over.excess.newest == "b"
    assert "add up to 110.5 % (a 60, b 50.5)" in over.excess.message
    assert in_words(over.shares) == "primary=40 a=60"
    assert slots(over, "a") == slots(good, "a")
    mended = now(one("a", 6000, created="1"), one("b", 4000, created="2"), before=over)
    assert mended.excess is None
    assert in_words(mended.shares) == "primary=0 a=60 b=40"


def test_a_variant_can_be_taken_off_while_the_shares_exceed_100() -> None:
    good = now(one("a", 6000, created="1"), one("b", 1000, created="2"))
    over = now(one("a", 0, created="1"), one("b", 9000, created="2"), one("c", 2000, created="3"), before=good)
    assert in_words(over.shares) == "primary=90 b=10"


def test_the_last_good_split_outlasts_a_while_without_ready_pods() -> None:
    good = now(one("a", 6000, created="1"))
    away = now(one("a", 6000, ready=False, created="1"), one("b", 5000, created="2"), before=good)
    assert in_words(away.shares) == "primary=100"
    back = now(one("a", 6000, created="1"), one("b", 5000, created="2"), before=away)
    assert in_words(back.shares) == "primary=40 a=60"


def test_subjects_come_back_to_a_variant_as_they_were() -> None:
    before = now(one("a", 3000), one("b", 3000))
    away = now(one("a", 3000, ready=False), one("b", 3000), before=before)
    assert slots(away, "a") == set()
    assert slots(away, "b") == slots(before, "b")
    assert slots(now(one("a", 3000), one("b", 3000), before=away), "a") == slots(before, "a")


def test_more_variants_than_a_neuron_takes_are_named_and_left_out() -> None:
    crowd = [one(f"v{number}", 100, created=str(number)) for number in range(MOST_VARIANTS + 1)]
    found = now(*crowd)
    assert found.excess is not None
    assert found.excess.too_many
    assert "v8" in found.excess.message
    assert "v8" not in found.shares


def test_the_revision_changes_with_the_split_and_with_nothing_else() -> None:
    first = now(one())
    assert now(one(), before=first).revision == first.revision
    assert now(one(share=1001), before=first).revision != first.revision
    assert now(one(ready=False), before=first).revision != first.revision


def test_a_table_whose_subject_changes_is_another_revision() -> None:
    spec: dict[str, Any] = {"traffic": {"subjectHeader": "X-Account"}}
    assert split(neuron(**spec), [one()], True, None).revision != now(one()).revision
