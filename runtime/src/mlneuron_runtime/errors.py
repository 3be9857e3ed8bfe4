"""What can go wrong with one request, in the data plane's own words.

Nothing here knows HTTP: a transport maps each class to its protocol's error (`transport/wire.py` for
HTTP). Every message names the field and the mend, since it is all that the caller sees.
"""

import math
from typing import Final

UNSAID: Final = object()
"""Stands for "no value to show", since None is a value that a caller may have sent."""

LONGEST_VALUE = 100
"""Characters of an offending value that are shown back, so that an error is never larger than its request."""


class RequestError(Exception):
    """A request that gets no prediction. `field` is the part of the request, or of the server, that is at
    fault.
    """

    client_fault = False

    def __init__(self, field: str, message: str, value: object = UNSAID) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.value = shown(value)

    @property
    def reason(self) -> str:
        """The class's name: a bounded set, so it can label a metric."""
        return type(self).__name__

    def describe(self) -> dict[str, object]:
        """The `error` object of every answer: field, value (where it helps) and message."""
        told: dict[str, object] = {"field": self.field}
        if self.value is not UNSAID:
            told["value"] = self.value
        told["message"] = self.message
        return told


class InvalidInput(RequestError):
    """The caller's features do not fit the model's signature."""

    client_fault = True


class UnknownModel(RequestError):
    """The caller asks for a model of another name."""

    client_fault = True


class UnknownVersion(RequestError):
    """The caller asks for a model version that is not served here."""

    client_fault = True


class UnknownPrediction(RequestError):
    """The caller tells the outcome of a prediction that is not known here."""

    client_fault = True


class TooManyRows(RequestError):
    """One request holds more rows than one answer should."""

    client_fault = True


class Unauthorized(RequestError):
    """The caller has no token that is accepted."""

    client_fault = True


class Unimplemented(RequestError):
    """The protocol knows this call, this server does not do it."""

    client_fault = True


class NotReady(RequestError):
    """No model is loaded yet."""


class Overloaded(RequestError):
    """The queue is full; the request was not tried and may be sent again."""


class DeadlineExceeded(RequestError):
    """The answer would come later than `serving.timeoutSeconds`."""


class ModelFailed(RequestError):
    """The model itself raised, or answered nonsense; the cause is chained and logged, never shown to the
    caller.
    """


def shown(value: object) -> object:
    """A scalar as it came, a long string cut; what JSON cannot say, arrays and objects are not echoed."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else UNSAID
    if isinstance(value, float):
        return value if math.isfinite(value) else UNSAID
    return value if value is None else UNSAID
