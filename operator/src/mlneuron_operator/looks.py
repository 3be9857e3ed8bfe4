"""Looking at rollouts: each look's state is the next one's beginning, and status has it whenever it matters."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .api.variant import ModelVariant
from .engine.store import Key
from .observation import Object
from .rolling import WRITE_SECONDS, is_news, kept, plan_of, rolled, subject_of
from .rollout.ledger import Reading
from .rollout.plan import Plan
from .rollout.state import Moment, State, look
from .traffic import hundredths
from .variant_status import Rolled


@dataclass(frozen=True, slots=True)
class Rolling:
    """A rollout after a look."""

    plan: Plan
    state: State
    rolled: Rolled

    @property
    def share(self) -> int:
        """What the variant is to have now, in hundredths of a percent."""
        return hundredths(self.state.progress.share(self.plan))


class Looks:
    """The newest state of each rollout, which status has only every now and then.

    A pod that ends takes its counters with it, so the counts of each look are kept until they are written. All else
    could be found again from status and the pods, and is, by the next operator.
    """

    def __init__(self) -> None:
        self._newest: dict[Key, dict[str, tuple[State, float]]] = {}
        """By neuron and the variant's uid: the state, and when its numbers were last written (since the epoch)."""

    def retain(self, key: Key, uids: Collection[str]) -> None:
        """Forget all of a neuron's rollouts but those of these variants."""
        kept_here = {uid: known for uid, known in self._newest.get(key, {}).items() if uid in uids}
        if kept_here:
            self._newest[key] = kept_here
        else:
            self._newest.pop(key, None)

    def look(
        self,
        variant: ModelVariant,
        status: Object,
        *,
        serving: bool,
        readings: Sequence[Reading],
        present: frozenset[str],
        now: float,
    ) -> Rolling | None:
        """The rollout of a variant after this look; None for a variant without one. ``present`` are the UIDs of all
        pods that count for it, read or not."""
        plan = plan_of(variant.spec)
        if plan is None:
            return None
        written = kept(status)
        newest = self._newest.setdefault(variant.neuron_key, {})
        before, last = newest.get(variant.uid, (written, now))
        moment = Moment(now, serving, readings, present)
        state = look(plan, subject_of(variant.spec), before, moment)
        fresh = is_news(state, written) or (state.looking and now - last >= WRITE_SECONDS)
        newest[variant.uid] = (state, now if fresh else last)
        return Rolling(plan, state, rolled(state, plan, status, now, fresh=fresh))
