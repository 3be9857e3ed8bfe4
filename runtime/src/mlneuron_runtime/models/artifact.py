"""What a model file is, told by its first bytes, for messages that name the mend."""

import zipfile
from pathlib import Path

from mlneuron_runtime.failure import Fatal, Reason

PICKLE = "a pickle"
JSON = "an xgboost model or other JSON"
UBJ = "an xgboost UBJ model"
EXPORT = "a torch.export program"
SCRIPT = "a TorchScript module"
MLMODEL = "MLmodel"
"""The file that makes a folder an MLflow model."""


def check_file(path: Path) -> None:
    """Fatal for a folder, with the framework that would serve it."""
    if not path.is_dir():
        return
    mlflow = Path(path, MLMODEL).is_file()
    raise Fatal(
        Reason.MODEL_LOAD_FAILED,
        "spec.model.framework: the artifact is an MLflow model; set framework: mlflow"
        if mlflow
        else f"spec.model.uri: the artifact is a folder ({path.name}); name the model's file in it",
    )


def describe(path: Path) -> str:
    """A guess at the format, in words; "an unknown format" where nothing fits."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "an empty file"
    if zipfile.is_zipfile(path):
        return _describe_zip(path)
    if head.lstrip()[:1] == b"{":
        return JSON if head.lstrip()[1:2] in b'"}\r\n\t ' else UBJ
    if head[:1] == b"\x80" or head[:2] == b"\x1f\x8b" or head[:1] == b"\x78":
        return PICKLE
    if head.startswith((b"<", b"\n<")):
        return "an HTML or XML page"
    return "an unknown format"


def _describe_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
    if is_torch_export(path):
        return EXPORT
    if "constants.pkl" in names:
        return SCRIPT
    if "data.pkl" in names:
        return "a torch.save pickle"
    if "schema.json" in names:
        return "a skops file"
    return "a zip archive"


def is_torch_export(path: Path) -> bool:
    """Whether a torch zip holds an exported program (2.7 and before: serialized_exported_program.json)."""
    with zipfile.ZipFile(path) as archive:
        return any(
            name.endswith(("serialized_exported_program.json", "models/model.json", "archive_format"))
            for name in archive.namelist()
        )
