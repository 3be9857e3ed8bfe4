"""A neuron's entry at the federation core."""

from typing import Annotated

from pydantic import Field

from .base import Resource


class FederationSpec(Resource):
    """The neuron's entry at the federation core."""

    enabled: bool = True
    """Whether the neuron is registered and reported."""

    neuron_id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = (
        None
    )
    """Id at the core; NAMESPACE.NAME when not set. An id is registered once and for ever: a token kept by the operator
    is what lets it report again."""

    capabilities: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=64)] = Field(
        default_factory=list
    )
    """What the neuron says it can do, such as churn-prediction."""
