"""Versions of an MLflow registry: `models:/NAME/VERSION` and `models:/NAME@ALIAS`, by mlflow's own client.

The registry and the credentials are those that the client finds: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME and
_PASSWORD, MLFLOW_TRACKING_TOKEN. The version's folder comes through the server (`--serve-artifacts`), from S3 or GCS,
or from a volume that the pod mounts where the server does.
"""

import contextlib
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from mlneuron_runtime.failure import Fatal, Reason, public
from mlneuron_runtime.sources import folder, object_store, ranges
from mlneuron_runtime.sources.note import Note
from mlneuron_runtime.sources.remote import (
    BLOCK,
    Artifact,
    Passing,
    Stamp,
    Stream,
    answered,
    cause,
    inside,
    not_found,
)

CREDENTIALS = (
    "check the credentials (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN) in the "
    "Secret that spec.model.credentials names, and that they may read the model"
)

PROXIED = "/mlflow-artifacts/artifacts"


def resolve(uri: str) -> Artifact:
    """The version that the URI names now, as its folder; raises Fatal and Passing."""
    name, version, alias = parsed(uri)
    with translated(uri):
        from mlflow import MlflowClient, is_tracking_uri_set

        if not is_tracking_uri_set():  # type: ignore[no-untyped-call]  # mlflow's
            raise Fatal(
                Reason.CONFIG_INVALID,
                f"spec.model.uri: {public(uri)} needs a registry; set MLFLOW_TRACKING_URI in the Secret that "
                "spec.model.credentials names, or in spec.podTemplate.env",
            )
        client = MlflowClient()
        found = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
        store = client.get_model_version_download_uri(name, found.version)
    known = Note(name=name, version=str(found.version), run_id=found.run_id or None)
    identity = f"models:/{name}/{found.version}\n{found.creation_timestamp}\n{store}"
    return _artifact(uri, store, identity, known)


def parsed(uri: str) -> tuple[str, str, str | None]:
    """Name, version ("" where there is an alias) and alias."""
    found = re.fullmatch(r"models:/(?P<name>[^/@]+)(?:/(?P<version>\d+)|@(?P<alias>[^/@]+))", uri)
    if found is None:
        raise Fatal(
            Reason.CONFIG_INVALID,
            f"spec.model.uri: {public(uri)} names no version of a registered model; write models:/NAME/VERSION or "
            "models:/NAME@ALIAS",
        )
    return found["name"], found["version"] or "", found["alias"]


def _artifact(uri: str, store: str, identity: str, known: Note) -> Artifact:
    """The version's files, by the kind of store that the registry keeps them in."""
    kind = urlsplit(store).scheme
    if kind in {"s3", "gs"}:
        stored = object_store.resolve(store.rstrip("/") + "/")
        return Artifact(uri, stored.objects, folder=True, identity=lambda: identity, note=known)
    if kind in {"", "file"} and Path(urlsplit(store).path).is_dir():
        return folder.artifact(uri, Path(urlsplit(store).path), lambda: identity, known)
    if kind not in {"mlflow-artifacts", "http", "https"}:
        raise Fatal(
            Reason.MODEL_FETCH_FAILED,
            f"spec.model.uri: {public(uri)} is kept at {public(store)}, which this pod does not reach; run the MLflow "
            "server with --serve-artifacts, or keep models in S3 or GCS",
        )
    with translated(uri):
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository = get_artifact_repository(store)
        listed = list(_listed(repository, ""))
    if not listed:
        raise not_found(uri, f"(version {known.version}) has no files")
    files = [
        ProxiedFile(uri, inside(uri, path), Stamp(identity, size), repository.artifact_uri) for path, size in listed
    ]
    return Artifact(uri, files, folder=True, identity=lambda: identity, note=known)


def _listed(repository: Any, parent: str) -> Iterator[tuple[str, int | None]]:
    """Path and size of every file below."""
    for info in repository.list_artifacts(parent or None):
        if info.is_dir:
            yield from _listed(repository, info.path)
        else:
            yield info.path, info.file_size


@dataclass(frozen=True, slots=True)
class ProxiedFile:
    """One file of a version, through the MLflow server, whose answers continue as any HTTP server's do. A version's
    files never change, so that `listed` has the version for a tag.
    """

    uri: str
    name: str
    listed: Stamp
    base: str

    @contextlib.contextmanager
    def open(self, at: int, stamp: Stamp) -> Iterator[Stream]:
        from mlflow.utils.credentials import get_default_host_creds
        from mlflow.utils.rest_utils import http_request

        headers = {"Accept-Encoding": "identity", **ranges.asked(at, stamp)}
        with translated(self.uri):
            answer = http_request(  # type: ignore[no-untyped-call]  # mlflow's
                get_default_host_creds(self.base),  # type: ignore[no-untyped-call]  # mlflow's
                posixpath.join("/", quote(self.name)),
                "GET",
                stream=True,
                max_retries=0,
                raise_on_status=False,
                extra_headers=headers,
            )
        with contextlib.closing(answer):
            if answer.status_code not in {200, 206}:
                raise answered(self.uri, answer.status_code, CREDENTIALS)
            start, seen = ranges.told(answer.status_code, answer.headers.get)
            yield Stream(seen, start, _blocks(self.uri, answer))


def _blocks(uri: str, answer: Any) -> Iterator[bytes]:
    blocks = answer.iter_content(BLOCK)
    while True:
        with translated(uri):
            block: bytes | None = next(blocks, None)
        if block is None:
            return
        yield block


@contextlib.contextmanager
def translated(uri: str) -> Iterator[None]:
    """What mlflow and requests raise, as what it means for the manifest."""
    try:
        yield
    except (Fatal, Passing):
        raise
    except Exception as error:  # MlflowException, requests' and urllib3's
        raise _meaning(uri, error) from error


def _meaning(uri: str, error: Exception) -> Exception:
    status = getattr(error, "get_http_status_code", lambda: None)() or getattr(
        getattr(error, "response", None), "status_code", None
    )
    text = cause(error)
    if status == 404 or (status == 400 and "not found" in text):
        return not_found(uri, f"is not in the registry ({text})")
    if status in {401, 403}:
        return answered(uri, status, CREDENTIALS)
    origin = _origin(error)
    return Passing(f"the registry does not answer: {cause(origin)}" if isinstance(origin, OSError) else text)


def _origin(error: BaseException) -> BaseException:
    """The first of the errors that led to this one: mlflow's repeats those of three libraries."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error
