"""The latest predictions, for outcomes that do not come with a prediction's id. Pure; the clock is given."""

from collections import OrderedDict
from collections.abc import Callable

from mlneuron_runtime.traffic.marks import Predicted, read

REMEMBERED = 20_000
REMEMBERED_SECONDS = 3600.0


class Memory:
    """The latest predictions' marks, by what else than their ids they may be judged by: ids that callers gave
    themselves, and subjects. In this process only, REMEMBERED of each for REMEMBERED_SECONDS; and which ids were
    judged already.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._marks: dict[str, OrderedDict[str, str]] = {"request_id": OrderedDict(), "subject": OrderedDict()}
        self._judged: OrderedDict[str, None] = OrderedDict()

    def note(self, kind: str, key: str, mark: str) -> None:
        held = self._marks[kind]
        held[key] = mark
        held.move_to_end(key)
        if len(held) > REMEMBERED:
            held.popitem(last=False)

    def recall(self, kind: str, key: str) -> Predicted | None:
        mark = self._marks[kind].get(key)
        predicted = None if mark is None else read(f":{mark}")
        if predicted is None or self._now() - predicted.at > REMEMBERED_SECONDS:
            return None
        return predicted

    def first_time(self, identifier: str) -> bool:
        """Whether no outcome of this prediction was told here before."""
        if identifier in self._judged:
            return False
        self._judged[identifier] = None
        if len(self._judged) > 5 * REMEMBERED:
            self._judged.popitem(last=False)
        return True
