"""The runtime's gRPC messages, made of its .proto files: `.venv/bin/python -m dev.protos`.

The modules keep their messages in a pool of their own. In the shared one, which protoc writes, a process could not hold
them beside those of a public client: both describe the package `inference`, in files of different names.
"""

import sys
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

from dev.paths import ROOT

FOLDER = ROOT / "runtime" / "src" / "mlneuron_runtime" / "transport" / "grpc"

SHARED_POOL, OWN_POOL = "_descriptor_pool.Default()", "_descriptor_pool.DescriptorPool()"


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file and what it should hold."""
    with tempfile.TemporaryDirectory() as folder:
        protos = sorted(path.name for path in FOLDER.glob("*.proto"))
        common = files("grpc_tools") / "_proto"
        arguments = ["protoc", f"-I{FOLDER}", f"-I{common}", f"--python_out={folder}", f"--pyi_out={folder}", *protos]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc refused a .proto file; its message is above")
        for path in sorted(Path(folder).iterdir()):
            yield FOLDER / path.name, path.read_text().replace(SHARED_POOL, OWN_POOL)


def main() -> int:
    for path, text in generated():
        path.write_text(text)
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
