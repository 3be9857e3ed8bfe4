"""``make bench-rollout``: how soon a rollout sees harm, and how often it sees some where there is none.

Simulated: a look every 5 s, at each of which 1,000 requests came on average, of which the variant got 10 %. The peer is
the textbook's test of two proportions at 99 %, looked at as often; the limit is one who knows what is wrong.
"""

from pathlib import Path
from typing import Final

import numpy as np
from mlneuron_operator.rollout.guards import Guard, Question

from bench.report import Report
from bench.rollout.limit import fewest
from bench.rollout.simulate import Array, Load, Model, Pairing, run

ROOT: Final = Path(__file__).parents[2]
IDENTICAL: Final = 2000
HARMED: Final = 500
LOOKS: Final = 720
"""An hour."""

AS_PRIMARY, EVERY_OUTCOME, SMALL = Model(), Load(feedback=1.0), Load(share=0.01)
DEFAULT, ACCURATE, NO_ERRORS = Guard(), Guard(min_accuracy_gain=0), Guard(max_error_rate_increase=0)
STRICT: Final = Guard(max_error_rate_increase=0, max_p95_increase=0, min_accuracy_gain=0)

ALARMS: Final = (
    ("A/A, default limits", AS_PRIMARY, Guard(min_accuracy_gain=-0.01)),
    ("A/A, nothing may be worse", AS_PRIMARY, STRICT),
    ("at the limits", Model(error_rate=0.04, median=0.012, accuracy=0.89), Guard(min_accuracy_gain=-0.01)),
)
HARMS: Final = (
    ("errors 5 % against 3 %, 1 point allowed", Model(error_rate=0.05), Load(), DEFAULT, Question.ERRORS),
    ("errors 5 % against 3 %, none allowed", Model(error_rate=0.05), Load(), NO_ERRORS, Question.ERRORS),
    ("errors 50 % against 3 %, at 1 % of the traffic", Model(error_rate=0.5), SMALL, DEFAULT, Question.ERRORS),
    ("p95 30 % longer, 20 % allowed", Model(median=0.013), Load(), DEFAULT, Question.LATENCY),
    ("p95 twice as long, 20 % allowed", Model(median=0.02), Load(), DEFAULT, Question.LATENCY),
    ("accuracy 87 % against 90 %", Model(accuracy=0.87), EVERY_OUTCOME, ACCURATE, Question.ACCURACY),
)


def main() -> None:
    """Run the benchmark; its figures go to standard output and to .bench/rollout.json."""
    report = Report("rollout")
    for name, variant, guard in ALARMS:
        course = run(Pairing(Model(), variant, Load()), guard, IDENTICAL, LOOKS, seed=11)
        report.figure(f"false alarms, {name}", percent(course.ours), "%")
        report.figure(f"false alarms, {name}: z-test of the errors, peeked at", percent(course.peeked), "%")
    for name, variant, load, guard, question in HARMS:
        pairing = Pairing(AS_PRIMARY, variant, load)
        found = run(pairing, guard, HARMED, LOOKS, seed=12, until_all=True).ours
        limit = fewest(pairing, guard, question)
        for part, quantile in (("median", 0.5), ("9 of 10 within", 0.9)):
            seen = float(np.quantile(found, quantile, method="higher"))
            report.figure(f"requests of the variant until seen, {name}: {part}", seen, "requests")
        report.figure(f"limit: {name}, by one who knew both models", limit, "requests")
        report.figure(f"ratio to the limit, {name}", float(np.median(found)) / limit, "x")
    print(f"written to {report.write(ROOT / '.bench').relative_to(ROOT)}")


def percent(found: Array) -> float:
    """Share of the rollouts in which harm was seen."""
    return float(100 * np.isfinite(found).mean())


if __name__ == "__main__":
    main()
