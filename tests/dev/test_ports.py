"""Ports for servers that are told theirs."""

import socket

import pytest

import dev.ports
from dev.ports import free_ports


def test_ports_are_distinct_and_never_ones_that_the_kernel_gives_to_outgoing_connections() -> None:
    ports = free_ports(200)
    assert len(set(ports)) == 200
    assert all(10000 <= port < 30000 for port in ports)


def test_a_port_that_is_held_on_any_address_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    first = free_ports(1)[0]
    monkeypatch.setattr(dev.ports, "_BELOW_EPHEMERAL", range(first, first + 2))
    with socket.create_server(("127.0.0.2", first)):
        assert first not in free_ports(1)
