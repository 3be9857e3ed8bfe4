"""Where a model is and what it is."""

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from .base import Name, Resource, Rule, keyed_by
from .uri import RULES as URI_RULES
from .uri import ModelUri

Framework = Literal["sklearn", "xgboost", "torch", "onnx", "mlflow"]

Datatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES"
]
"""The Open Inference Protocol's words for what a tensor holds."""

_SUFFIX_FRAMEWORK: Final[dict[str, Framework]] = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".skops": "sklearn",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".pt": "torch",
    ".pth": "torch",
    ".pt2": "torch",
    ".onnx": "onnx",
}
_SUFFIX: Final = "[.](" + "|".join(suffix[1:] for suffix in _SUFFIX_FRAMEWORK) + ")([?#].*)?$"
_FOLDER: Final = "(has(self.framework) && self.framework == 'mlflow') || self.uri.startsWith('models:/')"


class ModelInput(Resource):
    """One input that the model takes: a column of a table, or a tensor."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name, as the model knows it."""

    datatype: Datatype = "FP64"
    """What it holds, in the Open Inference Protocol's words; BYTES is text."""

    shape: Annotated[list[Annotated[int, Field(ge=1, le=1048576)]], Field(max_length=8)] = Field(default_factory=list)
    """Shape of a tensor for one row, such as [3, 224, 224]; a plain column has none."""


class CredentialsSpec(Resource):
    """With what the model is fetched."""

    secret_name: Name
    """A Secret of the same namespace. Each of its keys is an environment variable of the step that fetches the model,
    and a file under /etc/mlneuron-credentials there; nothing else sees them."""


class CacheSpec(Resource):
    """Where pods share what one of them has fetched."""

    claim_name: Name
    """A PersistentVolumeClaim of the same namespace. It must be ReadWriteMany where pods run on several nodes."""


class ModelSpec(Resource):
    """The model that the neuron serves."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"has(self.framework) || self.uri.startsWith('models:/') || self.uri.matches('{_SUFFIX}')",
            "framework is not set and the end of uri does not tell it: "
            "set framework to sklearn, xgboost, torch, onnx or mlflow",
        ),
        Rule(
            f"({_FOLDER}) || !self.uri.matches('/([?#].*)?$')",
            "'uri is ' + self.uri + ', a folder: name the model file in it, or set framework to mlflow'",
            dynamic=True,
        ),
        Rule(
            "!has(self.framework) || self.framework == 'mlflow' || !self.uri.startsWith('models:/')",
            "a registered model is MLflow's own folder, whatever is in it: set framework to mlflow, or leave it out",
        ),
        Rule(
            "!has(self.framework) || self.framework != 'mlflow' || !self.uri.startsWith('http')",
            "an MLflow model is a folder, which HTTP can't list: "
            "put it into a claim, a bucket, an image or MLflow's registry",
        ),
        Rule(
            "!has(self.credentials) || self.uri.matches('^(https?|s3|gs)://|^models:/')",
            "credentials are for a model that is fetched (https, s3, gs, models): remove them; "
            "a private image takes podTemplate.imagePullSecrets",
        ),
    )

    uri: Annotated[str, Field(min_length=8, max_length=2048), *URI_RULES]
    """Where the model is: pvc://CLAIM/PATH (a PersistentVolumeClaim of the same namespace, mounted read-only),
    http(s)://HOST/PATH, s3://BUCKET/KEY, gs://BUCKET/KEY, models:/NAME/VERSION or models:/NAME@ALIAS (MLflow's
    registry; these are fetched before the pod starts), oci://REGISTRY/IMAGE:TAG/PATH or
    oci://REGISTRY/IMAGE@sha256:DIGEST/PATH (a file in an image, which is mounted), or file:///PATH (in the runtime's
    own image)."""

    framework: Framework | None = None
    """What made it: sklearn (joblib or skops), xgboost (JSON or UBJ), torch (TorchScript or torch.export), onnx, or
    mlflow (a folder with an MLmodel file). Told from uri when not set: .joblib .pkl .pickle .skops, .json .ubj, .pt
    .pth .pt2, .onnx, models:/."""

    version: Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")] | None = None
    """Version that is shown, reported and answered with each prediction; the start of the file's digest when not
    set."""

    sha256: (
        Annotated[
            str,
            Field(max_length=128, pattern=r"^[0-9a-f]{64}$"),
            Rule(
                "self.matches('^[0-9a-f]{64}$')",
                "sha256 must be 64 digits of lower-case hex, without a prefix: "
                "take the first word that sha256sum FILE prints",
            ),
        ]
        | None
    ) = None
    """SHA-256 of the model file in lower-case hex; of a folder, the SHA-256 of what is printed in it by
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum. A model with another digest is never loaded."""

    acceleration: Literal["Auto", "Off"] = "Auto"
    """Auto runs a sklearn, xgboost or mlflow model by a faster engine where one answers as the model does, which is
    tried before the pod starts; Off, and a GPU, runs it by its own library."""

    inputs: (
        Annotated[list[ModelInput], Field(min_length=1, max_length=4096, json_schema_extra=keyed_by("name"))] | None
    ) = None
    """The inputs that the model takes, in their order. They are checked against the model when it is loaded, and give
    names and types to a model that has none of its own."""

    credentials: CredentialsSpec | None = None
    """With what the model is fetched; nothing when not set."""

    cache: CacheSpec | None = None
    """Where pods share what one of them has fetched or prepared; each fetches for itself when not set."""

    @property
    def source(self) -> ModelUri:
        """The parts of uri. Raises ValueError."""
        return ModelUri.parse(self.uri)

    def resolved_framework(self) -> Framework:
        """The framework as set, or as the uri tells. Raises ValueError when neither does."""
        if self.framework is not None:
            return self.framework
        if self.uri.startswith("models:/"):
            return "mlflow"
        match = re.search(_SUFFIX, self.uri)
        if match is None:
            raise ValueError(f"spec.model.framework is not set and {self.uri!r} does not tell it; set it")
        return _SUFFIX_FRAMEWORK["." + match[1]]
