"""What a model file is, told by its first bytes, for messages that name the mend."""

import zipfile
from pathlib import Path


def describe(path: Path) -> str:
    """A guess at the format, in words; "an unknown format" where nothing fits."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        return "an empty file"
    if zipfile.is_zipfile(path):
        return _describe_zip(path)
    if head.lstrip()[:1] == b"{":
        return "an xgboost model or other JSON" if head.lstrip()[1:2] in b'"}\n ' else "an xgboost UBJ model"
    if head[:1] == b"\x80" or head[:2] == b"\x1f\x8b" or head[:1] == b"\x78":
        return "a pickle"
    if head.startswith((b"<", b"\n<")):
        return "an HTML or XML page"
    return "an unknown format"


def _describe_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [name.partition("/")[2] or name for name in archive.namelist()]
    if is_torch_export(path):
        return "a torch.export program"
    if "constants.pkl" in names:
        return "a TorchScript module"
    if "data.pkl" in names:
        return "a torch.save pickle"
    return "a zip archive"


def is_torch_export(path: Path) -> bool:
    """Whether a torch zip holds an exported program (2.7 and before: serialized_exported_program.json)."""
    with zipfile.ZipFile(path) as archive:
        return any(
            name.endswith(("serialized_exported_program.json", "models/model.json", "archive_format"))
            for name in archive.namelist()
        )
