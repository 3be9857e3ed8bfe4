"""How a pod serves: its processes and protocols, the bounds of a request, who may ask, and what is told of it."""

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from .base import Duration, Name, Quantity, Resource, Rule
from .quantity import DURATION_PATTERN

MAX_WORKERS: Final = 64

_BODY_SIZE: Final = Rule(
    "isQuantity(string(self)) && quantity(string(self)).isInteger() && "
    "quantity(string(self)).compareTo(quantity('1')) >= 0 && "
    "quantity(string(self)).compareTo(quantity('1Gi')) <= 0",
    "'maxBodyBytes is ' + string(self) + ': choose a whole number of bytes from 1 to 1Gi'",
    dynamic=True,
)

_WORKERS: Final = Rule(
    f"type(self) == int ? self >= 1 && self <= {MAX_WORKERS} : self == 'auto'",
    f"'workers is ' + string(self) + ': write auto, or a whole number from 1 to {MAX_WORKERS}'",
    dynamic=True,
)

_PERCENT: Final = r"^(100|[0-9]{1,2}([.][0-9]{1,3})?)%$"


class AuthSpec(Resource):
    """Who may ask for predictions: whoever shows one of the tokens of a Secret."""

    secret_name: Name
    """A Secret of the same namespace."""

    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")] = "tokens"
    """Key in it that holds the accepted bearer tokens, one a line. Changed tokens hold within about a minute, without
    a restart."""


class PayloadLogSpec(Resource):
    """Requests and answers as CloudEvents, sent to a collector; a request never waits for one."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("!self.url.matches('^https?://[^/]*@')", "url must not hold credentials: leave out the part before @"),
    )

    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://[^/?#\s]+\S*$")]
    """Where they are sent, by POST."""

    sample: Annotated[
        str,
        Field(max_length=8, pattern=_PERCENT),
        Rule(
            f"self.matches('{_PERCENT}')",
            "self + ' is not a share: write a percentage from 0% to 100%, such as 1% or 0.1%'",
            dynamic=True,
        ),
    ] = "100%"
    """Share of the requests that is logged, such as 1% or 0.1%."""

    mode: Literal["All", "Request", "Response"] = "All"
    """What of each: All, the Request alone or the Response alone."""

    redact: Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=256)] = Field(
        default_factory=list
    )
    """Names of fields and inputs whose values are left out."""

    @property
    def share(self) -> float:
        """sample as a number from 0 to 1."""
        return float(Decimal(self.sample.removesuffix("%")) / 100)


class ServingSpec(Resource):
    """How a pod serves."""

    workers: Annotated[
        Annotated[int, Field(ge=1, le=MAX_WORKERS)] | Annotated[str, Field(pattern="^auto$", max_length=4)], _WORKERS
    ] = "auto"
    """Processes that serve on one port in a pod, each with the model in its memory. auto is one for each whole CPU of
    the pod's limit, or of its request where it has no limit, at most 8; and one with a GPU or torch, which use several
    CPUs by themselves."""

    grpc: bool = True
    """Whether the Open Inference Protocol is served over gRPC as well, on port 8081."""

    timeout: Annotated[
        Duration,
        Rule(
            f"!self.matches('{DURATION_PATTERN}') || "
            "(duration(self) >= duration('1ms') && duration(self) <= duration('1h'))",
            "'timeout is ' + self + ': choose at least 1ms and at most 1h'",
            dynamic=True,
        ),
    ] = "10s"
    """Deadline of a request; past it the answer is 504."""

    max_body_bytes: Annotated[Quantity, _BODY_SIZE] = "4Mi"
    """Largest request body; a larger one is answered 413."""

    auth: AuthSpec | None = None
    """Who may ask for predictions; anyone who reaches the pod when not set."""

    payload_log: PayloadLogSpec | None = None
    """Where requests and answers are logged; nowhere when not set."""
