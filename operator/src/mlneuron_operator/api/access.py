"""How a neuron is reached, and how many pods answer."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Annotations, Name, Resource, Rule


class RouteSpec(Resource):
    """The way in from outside the cluster, as an Ingress."""

    host: Annotated[
        str,
        Field(
            max_length=253,
            pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        ),
        Rule("!self.matches('^[0-9.]+$')", "an Ingress has no rule for an IP address: write a host name"),
    ]
    """Host name that the Ingress answers to, such as churn.example.com or *.example.com."""

    path: Annotated[str, Field(max_length=1024, pattern=r"^/.*$")] = "/"
    """Path prefix that is sent to the neuron; it is not stripped, so anything but / needs an ingress class that
    rewrites."""

    ingress_class_name: Name | None = None
    """Ingress class; the cluster's default class when not set."""

    tls_secret_name: Name | None = None
    """Secret that holds the certificate of host; plain HTTP when not set."""

    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the Ingress, such as a certificate issuer's or the controller's own settings."""


class AutoscalingSpec(Resource):
    """Replicas by load, as a HorizontalPodAutoscaler; spec.replicas is then left alone."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.maxReplicas >= self.minReplicas",
            "maxReplicas is below minReplicas: raise maxReplicas, or lower minReplicas",
        ),
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fewest pods."""

    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods."""

    target_cpu: Annotated[int, Field(ge=1, le=1000, alias="targetCPU")] = 70
    """Average CPU use that is aimed at, in percent of the CPU request."""
