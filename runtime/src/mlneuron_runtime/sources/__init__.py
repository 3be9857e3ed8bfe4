"""Where models come from: one module a kind of URI. `fetch` puts the artifact where the config says."""

from pathlib import Path
from urllib.parse import urlsplit

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.settings import ModelSource


def fetch(source: ModelSource) -> None:
    """Bring `source.uri` to `source.path`; raises Fatal."""
    from mlneuron_runtime.sources import http, local

    scheme = urlsplit(source.uri).scheme
    if scheme in {"http", "https"}:
        http.download(source.uri, Path(source.path), source.sha256)
    elif scheme in {"pvc", "file"}:
        local.verify(source.uri, Path(source.path), source.sha256)
    else:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"spec.model.uri: {public(source.uri)} has the scheme '{scheme}', which this runtime cannot "
            "fetch; "
            "use http, https, pvc or file",
        )
