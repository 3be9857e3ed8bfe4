"""Configuration of the operator process; the only module that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RuntimeImages:
    """What the pods of neurons run."""

    cpu: str = "mlneuron-runtime:latest"
    gpu: str = "mlneuron-runtime:latest-gpu"
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that an installation chooses; the chart writes it as environment variables."""

    images: RuntimeImages = field(default_factory=RuntimeImages)
    federation_url: str = ""
    """Base URL of the federation core; empty reports nothing."""
    namespace: str = "mlneuron-system"
    """Where the operator runs, and keeps its lease and the federation's tokens."""
    identity: str = "mlneuron-operator"
    """Holder name in the lease: the pod's name."""
    lease_name: str = "mlneuron-operator"
    require_model_digest: bool = False
    """Whether a model that can run code when it is read must be pinned."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces that are watched; all of them when empty."""
    in_cluster: bool = False
    """Whether pods can be reached at their own addresses; through the API server's proxy otherwise."""
    workers: int = 16
    """Neurons reconciled at the same time."""
    resync_seconds: float = 600.0
    telemetry_seconds: float = 15.0
    stalled_retry_seconds: float = 60.0
    """How often a stalled neuron is looked at again: a name that is taken is freed without the operator being told."""
    metrics_port: int = 9090
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Settings from ``MLNEURON_*`` variables. Raises ValueError that names the variable and its value."""
        defaults = cls()
        images = RuntimeImages(
            cpu=env.get("MLNEURON_RUNTIME_IMAGE", defaults.images.cpu),
            gpu=env.get("MLNEURON_RUNTIME_GPU_IMAGE", defaults.images.gpu),
            pull_policy=env.get("MLNEURON_RUNTIME_PULL_POLICY", defaults.images.pull_policy),
        )
        namespaces = env.get("MLNEURON_WATCH_NAMESPACES", "")
        return cls(
            images=images,
            federation_url=_url(env.get("MLNEURON_FEDERATION_URL", "")),
            namespace=env.get("MLNEURON_NAMESPACE", defaults.namespace),
            identity=env.get("MLNEURON_POD_NAME") or f"{defaults.identity}-{os.getpid()}",
            lease_name=env.get("MLNEURON_LEASE_NAME", defaults.lease_name),
            require_model_digest=_flag(env, "MLNEURON_REQUIRE_MODEL_DIGEST"),
            watch_namespaces=tuple(name.strip() for name in namespaces.split(",") if name.strip()),
            in_cluster="KUBERNETES_SERVICE_HOST" in env,
            workers=int(_number(env, "MLNEURON_WORKERS", defaults.workers)),
            resync_seconds=_number(env, "MLNEURON_RESYNC_SECONDS", defaults.resync_seconds),
            telemetry_seconds=_number(env, "MLNEURON_TELEMETRY_SECONDS", defaults.telemetry_seconds),
            stalled_retry_seconds=_number(env, "MLNEURON_STALLED_RETRY_SECONDS", defaults.stalled_retry_seconds),
            metrics_port=int(_number(env, "MLNEURON_METRICS_PORT", defaults.metrics_port)),
            log_level=_level(env.get("MLNEURON_LOG_LEVEL", defaults.log_level)),
        )


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise ValueError(f"{name} is {text!r}: write a number") from None
    if value <= 0:
        raise ValueError(f"{name} is {text!r}: write a number above 0")
    return value


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "")
    if text not in {"", "true", "false"}:
        raise ValueError(f"{name} is {text!r}: write true or false")
    return text == "true"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc):
        shown = "a URL with a user in it" if "@" in text else repr(text)
        raise ValueError(f"MLNEURON_FEDERATION_URL is {shown}: write http://HOST[:PORT] or https://HOST[:PORT]")
    return text.rstrip("/")


def _level(text: str) -> str:
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError(f"MLNEURON_LOG_LEVEL is {text!r}: choose DEBUG, INFO, WARNING or ERROR")
    return level
