"""The ConfigMap that tells the front door which variant answers whom."""

from typing import Any

import orjson

from ..api.names import traffic_name
from ..api.workload import Workload
from .config import TRAFFIC_KEY
from .meta import metadata


def traffic_map(workload: Workload, table: dict[str, Any]) -> dict[str, Any]:
    """The table as ``traffic.json``. Unlike the configuration it changes in place: pods read it anew."""
    text = orjson.dumps(table, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(workload, traffic_name(workload.neuron_name)),
        "data": {TRAFFIC_KEY: text},
    }
