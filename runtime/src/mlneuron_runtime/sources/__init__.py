"""Where models come from: one module a kind of URI. `fetch` puts the artifact where the config says."""

from urllib.parse import urlsplit

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.settings import ModelSource, http_authorization

MOUNTED = frozenset({"pvc", "file", "oci"})
"""The kubelet brings these: a claim, a folder of the runtime's image, an image mounted as a volume."""

FETCHED = frozenset({"http", "https", "s3", "gs", "models"})


def fetch(source: ModelSource) -> None:
    """Bring `source.uri` to `source.path`; raises Fatal."""
    from pathlib import Path

    scheme = _scheme(source.uri)
    if scheme in MOUNTED:
        from mlneuron_runtime.sources import local

        local.verify(source.uri, Path(source.path), source.sha256)
    elif scheme in FETCHED:
        from mlneuron_runtime.sources import fetching

        fetching.fetch(source, authorization=http_authorization())
    else:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"spec.model.uri: {public(source.uri)} has the scheme '{scheme}', which this runtime cannot fetch; use "
            "models, s3, gs, http, https, pvc, oci or file",
        )


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme
    except ValueError:  # a broken host
        return uri.partition(":")[0].lower()
