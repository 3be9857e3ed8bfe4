"""The reporter on real things: an HTTP session, the cluster's Secrets, the system's clocks."""

import asyncio
import random
import time

import aiohttp
from prometheus_client import CollectorRegistry

from ..cluster import Cluster
from ..settings import Settings
from .client import FederationClient
from .conversation import Clock
from .metrics import FederationMetrics
from .reporter import Facts, Publish, Reporter
from .vault import SecretVault


async def federation_reporting(
    cluster: Cluster, settings: Settings, registry: CollectorRegistry, facts: Facts, publish: Publish
) -> None:
    """Report every neuron to the core until cancelled."""
    metrics = FederationMetrics(registry, time.time)
    async with aiohttp.ClientSession() as session:
        reporter = Reporter(
            client=FederationClient(settings.federation_url, session, metrics),
            vault=SecretVault(cluster, settings.namespace),
            facts=facts,
            publish=publish,
            metrics=metrics,
            clock=Clock(time.monotonic, time.time),
            rng=random.Random(),  # noqa: S311 - spreads calls over time, no secret
            sleep=asyncio.sleep,
        )
        await reporter.run()
