"""The places that a model can be in, as one uri: how each is written, and its parts."""

import re
from typing import Final, NamedTuple

from .base import Rule

_HOST: Final = "[a-z0-9]([-.a-z0-9]*[a-z0-9])?(:[0-9]+)?"
_COMPONENT: Final = "[a-z0-9]([-._a-z0-9]*[a-z0-9])?"
_TAG: Final = ":[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}"
_DIGEST: Final = "@sha256:[0-9a-f]{64}"

_FORMS: Final = (
    "^(?P<scheme>pvc)://(?P<holder>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)/(?P<path>.+)",
    "^(?P<scheme>https?)://(?P<holder>[^/?#]+)/(?P<path>.+)",
    "^(?P<scheme>s3|gs)://(?P<holder>[-A-Za-z0-9._]+)/(?P<path>.+)",
    f"^(?P<scheme>oci)://(?P<holder>{_HOST}(/{_COMPONENT})+({_TAG}|{_DIGEST}|{_TAG}{_DIGEST}))/(?P<path>.+)",
    "^(?P<scheme>models):/(?P<holder>[^/@:?#]+)(?P<path>/[0-9]+|@[-A-Za-z0-9_]+)$",
    "^(?P<scheme>file)://(?P<holder>)/(?P<path>[^/].*)",
)
"""Expressions that Python and CEL (RE2) read alike. An image's reference ends at its tag or digest, which it must have:
without one nothing would tell it from the path."""

WRITTEN: Final = (
    "pvc://CLAIM/PATH, https://HOST/PATH, s3://BUCKET/KEY, gs://BUCKET/KEY, oci://REGISTRY/IMAGE:TAG/PATH, "
    "models:/NAME/VERSION, models:/NAME@ALIAS or file:///PATH"
)

RULES: Final = (
    Rule(
        " || ".join(f"self.matches('{form}')" for form in _FORMS),
        f"'uri is ' + self + ': write {WRITTEN}'",
        dynamic=True,
    ),
    Rule(
        "self.startsWith('http') || !self.matches('/[.][.]?(/|$)')",
        "uri must not climb out of where the model is: remove the . and .. parts",
    ),
    Rule("!self.matches('^[a-z0-9]+://[^/]*@')", "uri must not hold credentials: leave out the part before @"),
    Rule(
        "!self.startsWith('http') || !self.matches('[[:space:]]')",
        "a URL must not hold blanks: write %20 for each",
    ),
)


class ModelUri(NamedTuple):
    """The parts of a uri. ``holder`` is the claim, host, bucket, image reference or registered model; ``path`` what is
    in it, or for a registered model its version (``/3``) or alias (``@champion``)."""

    scheme: str
    holder: str
    path: str

    @classmethod
    def parse(cls, uri: str) -> "ModelUri":
        """The parts. Raises ValueError for what is written in no known way."""
        for form in _FORMS:
            match = re.match(form, uri)
            if match is not None:
                return cls(match["scheme"], match["holder"], match["path"])
        raise ValueError(f"spec.model.uri is {uri}: write {WRITTEN}")

    @property
    def fetched(self) -> bool:
        """Whether the model has to be brought to the pod; else it is mounted, or in the image."""
        return self.scheme in {"http", "https", "s3", "gs", "models"}

    @property
    def name(self) -> str:
        """Name of the file or folder."""
        if self.scheme == "models":
            return "model"
        return re.split("[?#]", self.path)[0].rstrip("/").rpartition("/")[2] or "model"
