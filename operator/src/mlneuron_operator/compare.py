"""Whether a live object is as desired; pure.

The API server fills in defaults and others add what is theirs, so a live object is as desired when it holds everything
that the desired one says. What the operator said once and does not say any more is told by the seal (``desired.meta``).
"""

from typing import Any, Final

_ITEM_KEYS: Final = ("mountPath", "uid", "name")
"""What identifies an item of a list that server-side apply merges, in the order in which it is looked for."""


def covers(live: Any, desired: Any) -> bool:
    """Whether ``live`` holds all of ``desired``: keys of mappings, items of merged lists by their key, other lists
    item by item, and equal scalars."""
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(key in live and covers(live[key], desired[key]) for key in desired)
    if isinstance(desired, list):
        return isinstance(live, list) and _covers_list(live, desired)
    return bool(live == desired)


def _covers_list(live: list[Any], desired: list[Any]) -> bool:
    key = next((key for key in _ITEM_KEYS if all(_has(item, key) for item in desired)), None)
    if key is None or not desired:
        return len(live) == len(desired) and all(map(covers, live, desired))
    found = {item.get(key): item for item in live if isinstance(item, dict)}
    return all(item[key] in found and covers(found[item[key]], item) for item in desired)


def _has(item: Any, key: str) -> bool:
    """Whether an item is told from others by this key. References (kind and name) to whom a route leads are no such
    items: their list is one's own."""
    return isinstance(item, dict) and key in item and not (key == "name" and "kind" in item)
