"""The operator process: serve metrics and probes, win the lease, lead until it is lost or the process is to end."""

import asyncio
import signal
import sys
import time

import structlog
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, CollectorRegistry

from . import handlers, log
from .cluster import Cluster, current_configuration
from .controller import WATCH_SILENCE_SECONDS, Controller
from .engine.election import Election
from .metrics import Metrics
from .server import serving
from .settings import Settings

logger = structlog.get_logger(__name__)


def main() -> None:
    """Entry point. Exit code 1 when leadership was lost or the engine failed, so that the pod is started anew."""
    try:
        settings = Settings.from_env()
    except ValueError as error:
        sys.exit(f"mlneuron-operator: {error}")
    log.configure(settings.log_level)
    sys.exit(asyncio.run(run(settings)))


async def run(settings: Settings) -> int:
    """Run one operator process to its end; its exit code."""
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    metrics = Metrics(registry)
    async with Cluster(current_configuration(), metrics) as cluster:
        controller = Controller(cluster, settings, metrics)
        async with serving(settings.metrics_port, registry, lambda: fault(controller)):
            election = Election(cluster, settings.namespace, settings.lease_name, settings.identity, time.monotonic)
            metrics.leader.set_function(lambda: float(election.leading))
            return await lead(controller, settings, election)


def fault(controller: Controller) -> str | None:
    """What is wrong with this process that a restart would mend."""
    silence = controller.silence()
    return f"a watch has been silent for {silence:.0f} s" if silence > WATCH_SILENCE_SECONDS else None


async def lead(controller: Controller, settings: Settings, election: Election) -> int:
    """Wait for the lease, then work for as long as it is held; 0 when asked to end, 1 otherwise."""
    loop, stop, asked = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def end() -> None:
        asked.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    acquiring = asyncio.create_task(election.acquire())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([acquiring, stopping], return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        acquiring.cancel()
        return 0
    acquiring.result()
    holding = asyncio.create_task(election.hold())
    holding.add_done_callback(lambda _: stop.set())
    try:
        await handlers.run(controller, settings, stop)
        failed = stop.is_set() and not asked.is_set()
    finally:
        holding.cancel()
        await election.release()
    logger.info("ended", failed=failed)
    return 1 if failed else 0


if __name__ == "__main__":
    main()
