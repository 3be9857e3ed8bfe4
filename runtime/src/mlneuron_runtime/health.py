"""The health that the guide's rules make of what was counted. Pure."""

from mlneuron_runtime.tallies import Sum

UNHEALTHY_AT = 50
GOOD_SUCCESS_RATE = 0.9
SLOW_MS = 1000.0


def health_score(counted: Sum, models_loaded: int) -> int:
    """The guide's: 0 without a model, 70 below 90 % success, 80 above a second on average, else 100."""
    if models_loaded == 0:
        return 0
    if counted.success_rate < GOOD_SUCCESS_RATE:
        return 70
    return 80 if counted.average_ms > SLOW_MS else 100


def health_status(score: int) -> str:
    """The guide's word for a score."""
    return "healthy" if score > UNHEALTHY_AT else "unhealthy"
