"""Where a model is and what it is."""

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from .base import Resource, Rule

Framework = Literal["sklearn", "xgboost", "torch"]

_SUFFIX_FRAMEWORK: Final[dict[str, Framework]] = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".pt": "torch",
    ".pth": "torch",
    ".pt2": "torch",
}
_SUFFIX: Final = "[.](" + "|".join(suffix[1:] for suffix in _SUFFIX_FRAMEWORK) + ")([?#].*)?$"

_URI_RULES: Final = (
    Rule(
        "self.matches('^pvc://[a-z0-9]([-a-z0-9.]*[a-z0-9])?/.+') || self.matches('^https?://[^/?#]+/.+')",
        "'uri is ' + self + ': write pvc://CLAIM/PATH, http://HOST/PATH or https://HOST/PATH'",
        dynamic=True,
    ),
    Rule(
        "!self.matches('[/.]([?#].*)?$')",
        "'uri is ' + self + ', a folder: name the model file in it'",
        dynamic=True,
    ),
    Rule(
        "!self.startsWith('pvc://') || !self.matches('/[.][.](/|$)')",
        "uri must not climb out of its claim: remove the .. parts",
    ),
    Rule("!self.matches('^https?://[^/]*@')", "uri must not hold credentials: leave out the part before @"),
    Rule(
        "self.startsWith('pvc://') || !self.matches('[[:space:]]')",
        "a URL must not hold blanks: write %20 for each",
    ),
)


class ModelSpec(Resource):
    """The model that the neuron serves."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"has(self.framework) || self.uri.matches('{_SUFFIX}')",
            "framework is not set and the end of uri does not tell it: set framework to sklearn, xgboost or torch",
        ),
    )

    uri: Annotated[str, Field(min_length=8, max_length=2048), *_URI_RULES]
    """Where the model file is: pvc://CLAIM/PATH (a PersistentVolumeClaim of the same namespace, mounted read-only), or
    http(s)://HOST/PATH (fetched before the pod starts)."""

    framework: Framework | None = None
    """What made the file: sklearn (joblib), xgboost (JSON or UBJ) or torch (TorchScript or torch.export). Told from
    the end of uri when not set: .joblib .pkl .pickle, .json .ubj, .pt .pth .pt2."""

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
    """SHA-256 of the model file in lower-case hex. A file with another digest is never loaded."""

    def resolved_framework(self) -> Framework:
        """The framework as set, or as the end of the uri tells. Raises ValueError when neither does."""
        if self.framework is not None:
            return self.framework
        match = re.search(_SUFFIX, self.uri)
        if match is None:
            raise ValueError(f"spec.model.framework is not set and {self.uri!r} does not tell it; set it")
        return _SUFFIX_FRAMEWORK["." + match[1]]
