"""A rollout's decisions as sentences with their numbers."""

import math
from datetime import UTC, datetime

from .betting import Bet, Tally
from .evidence import Counts, Evidence
from .guards import P95, Guard, Question
from .latency import quantile
from .plan import Plan, Progress, Verdict


def finding(question: Question, bet: Bet, total: Evidence, guard: Guard) -> str:
    """What was found, by the bet that was won."""
    lately = "" if math.isinf(bet.memory) else " in the latest requests"
    sure = f"{lately}, with {_percent(guard.confidence)} confidence"
    if question is Question.LATENCY:
        by = f"more than {_percent(guard.max_p95_increase)} " if guard.max_p95_increase else ""
        return f"p95 {_p95(total, bet)}: {by}longer{sure}"
    if question is Question.ERRORS:
        shown = f"error rate {_rate(bet.known.variant)} against {_rate(bet.known.primary)} of the primary"
        return f"{shown}: {_worse(guard.max_error_rate_increase)}{sure}"
    shown = f"accuracy {_rate(_right(bet.known.variant))} against {_rate(_right(bet.known.primary))} of the primary"
    gain = guard.min_accuracy_gain or 0.0
    wanted = f"less than {_points(gain)} better" if gain > 0 else _worse(-gain)
    return f"{shown}: {wanted}{sure}"


def message(progress: Progress, plan: Plan, total: Evidence, now: float) -> str:
    """Where the rollout is, for the condition; the same at each look while nothing happens."""
    step = progress.at(plan)
    place = f"step {progress.step + 1} of {len(plan.steps)} at {progress.of_step(plan):g} %"
    match progress.verdict:
        case Verdict.HARM:
            return progress.finding
        case Verdict.ABORTED:
            return "spec.traffic is 0: set another value to begin a new rollout"
        case Verdict.SUCCEEDED:
            return f"all {len(plan.steps)} steps done, stays at {progress.of_step(plan):g} %"
        case Verdict.PAUSED:
            return (
                f"{place}: paused after {_time(progress.held)} of {_time(step.hold)}, set spec.rollout.paused to false"
            )
        case Verdict.WAITING:
            held = f"{_time(progress.held)} of {_time(step.hold)}"
            return f"{place}: no pod of the variant serves, the clock stands at {held}"
        case Verdict.HOLDING:
            return f"{place}: {_missing(progress.missing(plan, total), plan)}"
        case _:
            end = datetime.fromtimestamp(now + step.hold - progress.elapsed(now), UTC)
            return f"{place}: until {end:%Y-%m-%dT%H:%M:%SZ} at least"


def _missing(missing: tuple[int, int], plan: Plan) -> str:
    lacks = [f"the {who} lacks {count}" for who, count in zip(("primary", "variant"), missing, strict=True) if count]
    return f"held long enough, but {' and '.join(lacks)} of {plan.guard.min_requests} requests in this step"


def _p95(total: Evidence, bet: Bet) -> str:
    of_variant, of_primary = _milliseconds(total.variant), _milliseconds(total.primary)
    beyond = f"{_rate(bet.known.variant)} above the limit, {_rate(bet.known.primary)} of the primary's above its p95"
    return f"{of_variant} against {of_primary} of the primary ({beyond})"


def _milliseconds(counts: Counts) -> str:
    seconds = quantile(counts.latency, P95)
    return "beyond 32 s" if seconds is None else f"{seconds * 1000:.3g} ms"


def _right(wrong: Tally) -> Tally:
    return Tally(wrong.trials, wrong.trials - wrong.hits)


def _rate(tally: Tally) -> str:
    return f"{100 * tally.rate:.3g} % ({round(tally.hits)}/{round(tally.trials)})"


def _percent(share: float) -> str:
    return f"{round(100 * share, 6):g} %"


def _worse(share: float) -> str:
    return f"more than {_points(share)} worse" if share else "worse"


def _points(share: float) -> str:
    points = round(100 * share, 6)
    return f"{points:g} point" if points == 1 else f"{points:g} points"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (rest, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"
