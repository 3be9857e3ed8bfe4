"""A neuron pays for its own framework only: which modules each way of starting imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.support import environment

SERVE_SKLEARN = """
import pickle, sys
from pathlib import Path
from mlneuron_runtime import loading, server, settings
source = settings.standalone(Path(sys.argv[1]), None).model
source.acceleration = "Off"
loading.load(source, "image", 1)
"""

SERVE_MLFLOW = """
import sys
from mlneuron_runtime import loading, server, settings
source = settings.ModelSource(name="m", framework="mlflow", uri="file:///m", path=sys.argv[1], acceleration="Off")
loading.load(source, "image", 1)
"""

FETCH = """
import sys
from mlneuron_runtime import __main__, sources
from mlneuron_runtime.sources import http, local
"""

PARSE = "from mlneuron_runtime import __main__"


def imported(folder: Path, program: str, *arguments: str) -> set[str]:
    script = program + "\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(  # our own program
        [sys.executable, "-c", script, *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    import joblib
    from sklearn.linear_model import LogisticRegression

    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    return path


def test_an_sklearn_neuron_imports_no_other_framework(tmp_path: Path, model: Path) -> None:
    modules = imported(tmp_path, SERVE_SKLEARN, str(model))
    assert "sklearn" in modules
    assert modules.isdisjoint({"torch", "xgboost", "mlflow", "aiohttp", "pydantic", "onnxruntime", "skops"})


def test_an_mlflow_folder_of_an_sklearn_model_imports_sklearn_and_no_mlflow(tmp_path: Path, model: Path) -> None:
    flavors = {"sklearn": {"pickled_model": model.name, "serialization_format": "pickle"}}
    (tmp_path / "MLmodel").write_text(json.dumps({"flavors": flavors}))
    modules = imported(tmp_path, SERVE_MLFLOW, str(tmp_path))
    assert "sklearn" in modules
    assert modules.isdisjoint({"torch", "xgboost", "mlflow", "onnxruntime", "skops"})


def test_an_onnx_neuron_imports_no_other_framework(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "graph", sides[:1], sides[1:])
    path = tmp_path / "m.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    modules = imported(tmp_path, SERVE_SKLEARN, str(path))
    assert "onnxruntime" in modules
    assert modules.isdisjoint({"torch", "xgboost", "mlflow", "sklearn", "pandas", "onnx"})


def test_fetch_imports_neither_numpy_nor_a_web_server(tmp_path: Path) -> None:
    assert imported(tmp_path, FETCH).isdisjoint({"numpy", "starlette", "uvicorn", "sklearn", "prometheus_client"})


def test_the_command_line_leaves_numpy_for_after_the_thread_limits(tmp_path: Path) -> None:
    assert "numpy" not in imported(tmp_path, PARSE)


def test_the_supervisor_imports_nothing_that_serves(tmp_path: Path) -> None:
    modules = imported(tmp_path, f"{PARSE}\nfrom mlneuron_runtime.workers import supervisor")
    assert modules.isdisjoint({"numpy", "starlette", "uvicorn", "uvloop", "grpc", "sklearn", "prometheus_client"})
