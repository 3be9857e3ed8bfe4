"""How requests are told apart where several models share a neuron's traffic."""

from typing import Annotated

from pydantic import Field

from .base import Resource


class TrafficSpec(Resource):
    """Whom a request is about: the same subject is always answered by the same model."""

    subject_header: Annotated[str, Field(min_length=1, max_length=128, pattern="^[A-Za-z0-9-]+$")] = "X-User-Id"
    """HTTP header, or key of gRPC metadata, that names the subject."""

    subject_field: Annotated[str, Field(min_length=1, max_length=253)] = "user_id"
    """Field of the body, or parameter of the Open Inference Protocol, that names the subject; of a batch, its plural
    (user_ids) names one for each row. A request without a subject is given to any model, by the shares."""
