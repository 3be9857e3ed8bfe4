"""How a neuron is reached, and how many pods answer."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import Annotations, Name, Resource, Rule
from .names import GATEWAY_GROUP


class ParentReference(Resource):
    """A Gateway that the neuron is to be reached through, as an HTTPRoute's parentRefs name it."""

    name: Name
    """Name of the Gateway."""

    namespace: Name | None = None
    """Its namespace; the neuron's own when not set. Its listeners have to allow routes from the neuron's."""

    section_name: Name | None = None
    """One listener of it; all that fit when not set."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Listeners on this port alone."""

    group: Annotated[str, Field(max_length=253)] = GATEWAY_GROUP
    """API group of the parent."""

    kind: Annotated[str, Field(min_length=1, max_length=63)] = "Gateway"
    """Kind of the parent."""


class GatewaySpec(Resource):
    """The way in through the Gateway API: an HTTPRoute, which also splits the requests between variants."""

    parent_refs: Annotated[list[ParentReference], Field(min_length=1, max_length=32)]
    """Gateways that take the route."""


class RouteSpec(Resource):
    """The way in from outside the cluster: an Ingress, or with gateway an HTTPRoute."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.gateway) || (!has(self.ingressClassName) && !has(self.tlsSecretName))",
            "ingressClassName and tlsSecretName are an Ingress's, and gateway asks for an HTTPRoute, whose Gateway "
            "holds the certificate: remove them, or gateway",
        ),
    )

    host: Annotated[
        str,
        Field(
            max_length=253,
            pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        ),
        Rule("!self.matches('^[0-9.]+$')", "no route can be for an IP address: write a host name"),
    ]
    """Host name that is answered to, such as churn.example.com or *.example.com."""

    path: Annotated[str, Field(max_length=1024, pattern=r"^/.*$")] = "/"
    """Path prefix that is sent to the neuron. An HTTPRoute strips it. An Ingress does not, so anything but / needs an
    ingress class that rewrites."""

    ingress_class_name: Name | None = None
    """Ingress class; the cluster's default class when not set."""

    tls_secret_name: Name | None = None
    """Secret that holds the certificate of host; plain HTTP when not set."""

    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the Ingress or the HTTPRoute, such as a certificate issuer's or the controller's own settings."""

    gateway: GatewaySpec | None = None
    """Gateways that take an HTTPRoute in place of the Ingress; they then split what comes through them."""


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
