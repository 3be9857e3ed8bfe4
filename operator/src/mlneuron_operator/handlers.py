"""kopf's part: it watches the neurons, lives and ends the process; the only module that knows kopf."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import kopf

from .api.names import GROUP, NEURON_PLURAL, VERSION
from .controller import Controller
from .settings import Settings

_BACKOFFS: Final = (1, 1, 2, 3, 5, 8, 13, 21, *(30,) * 40)
"""Seconds between tries while the API server fails: past them kopf gives up, and the process with it."""


def registry_for(controller: Controller, failed: Callable[[], None]) -> kopf.OperatorRegistry:
    """Handlers that do nothing but hand over: neither blocks, fails, nor writes to the cluster."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**context: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_via_client(**context)

    @kopf.on.startup(registry=registry)
    async def start(**_: Any) -> None:
        await controller.start(failed)

    @kopf.on.cleanup(registry=registry)
    async def stop(**_: Any) -> None:
        await controller.stop()

    @kopf.on.event(GROUP, VERSION, NEURON_PLURAL, registry=registry)
    async def neuron_changed(event: kopf.RawEvent, **_: Any) -> None:
        controller.seen(event["type"], event["object"])  # type: ignore[arg-type]

    return registry


def kopf_settings() -> kopf.OperatorSettings:
    """kopf without what this operator does itself, or does not want: events, peering, scanning, annotations."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.server_timeout = 290
    settings.watching.client_timeout = 320
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _BACKOFFS
    settings.queueing.idle_timeout = 0.1
    settings.process.ultimate_exiting_timeout = 15
    return settings


async def run(controller: Controller, settings: Settings, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set or the process is asked to end."""
    for name in ("kopf.objects", "kopf.activities", "kopf._core.engines.peering"):
        logging.getLogger(name).setLevel(logging.WARNING)
    registry = registry_for(controller, stop.set)
    await kopf.operator(
        registry=registry,
        settings=kopf_settings(),
        standalone=True,
        clusterwide=not settings.watch_namespaces,
        namespaces=list(settings.watch_namespaces),
        stop_flag=stop,
        identity=None,
    )
