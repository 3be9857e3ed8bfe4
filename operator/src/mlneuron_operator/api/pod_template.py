"""What pods need beside the model, in the words of a pod's own spec."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .base import Annotations, Labels, LabelValue, Name, Opaque, Resource, Rule, keyed_by
from .names import GROUP


class Toleration(Resource):
    """A taint that the pods tolerate, as in a pod's spec."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without a key tolerates every taint: set operator to Exists, or name the key",
        ),
        Rule(
            "!has(self.value) || self.value == '' || !has(self.operator) || self.operator == 'Equal'",
            "operator Exists takes no value: remove the value, or set operator to Equal",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds counts for the effect NoExecute only: set the effect, or remove tolerationSeconds",
        ),
    )

    key: Annotated[str, Field(max_length=316)] | None = None
    """Key of the taint; every taint when not set and operator is Exists."""

    operator: Literal["Exists", "Equal"] | None = None
    """How value is compared; Equal when not set."""

    value: LabelValue | None = None
    """Value of the taint."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; every effect when not set."""

    toleration_seconds: int | None = None
    """How long a NoExecute taint is tolerated, in seconds."""


class KeySelector(Resource):
    """A key of a Secret or ConfigMap of the same namespace."""

    name: Name
    """Name of the Secret or ConfigMap."""

    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z0-9]+$")]
    """Key in it."""

    optional: bool | None = None
    """Whether the pod starts without it."""


class FieldSelector(Resource):
    """A field of the pod."""

    api_version: Annotated[str, Field(max_length=63)] | None = None
    """API version of the path; v1 when not set."""

    field_path: Annotated[str, Field(min_length=1, max_length=512)]
    """Path of the field, such as metadata.name or status.podIP."""


class EnvSource(Resource):
    """Where the value of an environment variable comes from."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)].filter(one, one).size() == 1",
            "name exactly one source: secretKeyRef, configMapKeyRef or fieldRef",
        ),
    )

    secret_key_ref: KeySelector | None = None
    """A key of a Secret."""

    config_map_key_ref: KeySelector | None = None
    """A key of a ConfigMap."""

    field_ref: FieldSelector | None = None
    """A field of the pod."""


class EnvVar(Resource):
    """An environment variable of the runtime container, as in a pod's spec."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.value) || self.value == '' || !has(self.valueFrom)",
            "'variable ' + self.name + ' has both value and valueFrom: remove one'",
            dynamic=True,
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._A-Za-z][-._A-Za-z0-9]*$")]
    """Name of the variable."""

    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value."""

    value_from: EnvSource | None = None
    """Where its value comes from."""


class SecretName(Resource):
    """A Secret of the same namespace."""

    name: Name
    """Its name."""


_OWN_LABELS = Rule(
    f"self.all(key, !key.startsWith('{GROUP}/') && !key.startsWith('app.kubernetes.io/'))",
    f"labels that start with {GROUP}/ or app.kubernetes.io/ are the operator's own: choose another prefix",
)


class PodTemplateSpec(Resource):
    """What the pods need beside the model: placement, environment, credentials. Security settings are not among it:
    pods always meet the restricted Pod Security Standard."""

    labels: Annotated[Labels, _OWN_LABELS] = Field(default_factory=dict)
    """Further labels of the pods."""

    annotations: Annotations = Field(default_factory=dict)
    """Further annotations of the pods."""

    node_selector: Labels = Field(default_factory=dict)
    """Labels that a node must have."""

    tolerations: Annotated[list[Toleration], Field(max_length=64)] = Field(default_factory=list)
    """Taints that the pods tolerate."""

    affinity: Opaque | None = None
    """Affinity, as in a pod's spec."""

    env: Annotated[list[EnvVar], Field(max_length=128, json_schema_extra=keyed_by("name"))] = Field(
        default_factory=list
    )
    """Environment variables of the runtime and of the step that fetches the model."""

    image_pull_secrets: Annotated[list[SecretName], Field(max_length=16, json_schema_extra=keyed_by("name"))] = Field(
        default_factory=list
    )
    """Secrets with which images are pulled."""

    service_account_name: Name | None = None
    """ServiceAccount of the pods; one of the neuron's own, without any right, when not set."""

    priority_class_name: Name | None = None
    """Priority class of the pods."""

    runtime_class_name: Name | None = None
    """Runtime class of the pods, such as nvidia."""
