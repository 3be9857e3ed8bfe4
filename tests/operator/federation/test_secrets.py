"""Tokens never show: not in logs, states, reprs, nor in what an exception says."""

import logging

import pytest
from mlneuron_operator.federation.outcomes import Registered
from mlneuron_operator.federation.records import TokenRecord
from structlog.testing import capture_logs

from .world import World, facts


async def test_no_token_shows_in_logs_or_states_whatever_goes_wrong(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logged:
        world.put(facts(), facts(name="fraud"))
        await world.run(70)
        tokens = [record.token for record in world.vault.records.values()]
        world.vault.broken = True
        world.core.lose_database()
        await world.run(120)
        tokens += [each.record.token for each in world.reporter._roster if each.record]
        world.core.switches.down = True
        await world.run(200)
        world.core.switches.down = False
        world.core.rotate_secret()
        await world.run(300)
        world.remove()
        await world.run(100)
    shown = (
        f"{logged} {caplog.text} {capsys.readouterr()} {world.published} {list(world.reporter._roster)} {world.vault!r}"
    )
    assert "token not saved" in shown
    assert len(set(tokens)) >= 2
    for token in tokens:
        for part in (token, token.rpartition(".")[2]):
            assert part not in shown


def test_a_record_and_a_registration_hide_the_token_from_their_repr() -> None:
    assert "s3cret" not in repr(TokenRecord("id", "s3cret", "ns", "n", "u"))
    assert "s3cret" not in repr(Registered("s3cret"))
