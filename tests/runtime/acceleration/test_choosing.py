"""Which model serves: what was prepared and is still what was verified; else the original, and why."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from mlneuron_runtime import loading
from mlneuron_runtime.acceleration import bounds, process
from mlneuron_runtime.acceleration.store import Engine, Manifest, Store, key_of
from mlneuron_runtime.models.accelerated import AcceleratedModel, Relieved
from mlneuron_runtime.models.base import Model, Prediction
from mlneuron_runtime.settings import ModelSource
from mlneuron_runtime.signature import Matrix
from mlneuron_runtime.sources.digest import digest_of

from tests.runtime.acceleration.estimators import ACCELERATED, REFUSED, ROWS
from tests.runtime.conftest import InlineModel
from tests.runtime.support import config_for, environment, runtime, serving, until


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and what was prepared of it, for the tests to copy."""
    folder = tmp_path_factory.mktemp("once")
    joblib.dump(ACCELERATED["forest_words"](), folder / "m.joblib")
    loading.load(source(folder / "m.joblib"), "image", 1)
    return folder


@pytest.fixture
def path(tmp_path: Path, once: Path) -> Path:
    """A model that is prepared."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "m.joblib"


@pytest.fixture
def fresh(tmp_path: Path, once: Path) -> Path:
    """The same model, not prepared."""
    shutil.copy(once / "m.joblib", tmp_path)
    return tmp_path / "m.joblib"


def source(path: Path, **values: Any) -> ModelSource:
    known = {"name": "m", "framework": "sklearn", "uri": path.as_uri(), "path": str(path)}
    return ModelSource(**{**known, "prepared": str(path.parent / "prepared"), **values})


def auto(folder: Path, path: Path) -> dict[str, Any]:
    """A config whose model is to be accelerated."""
    told = {"acceleration": "Auto", "prepared": str(folder / "prepared"), "uri": path.as_uri()}
    return config_for(path, model=told)


def entry(given: ModelSource) -> Path:
    """The folder of what was prepared."""
    return Path(given.prepared or "", key_of(digest_of(Path(given.path)), given))


def test_a_prepared_model_serves_and_tells_so(path: Path) -> None:
    served = loading.load(source(path), "image", 1)
    original = loading.load(source(path, acceleration="Off"), "image", 1)
    assert isinstance(served.model, AcceleratedModel)
    assert (served.engine, original.engine, original.acceleration) == ("onnxruntime", "sklearn", "Off")
    assert served.acceleration.startswith("onnxruntime (float32): ")
    assert (served.framework, served.outputs) == (original.framework, original.outputs)
    assert (served.model.type, served.model.details) == (original.model.type, original.model.details)


def test_what_was_prepared_is_not_prepared_again(path: Path) -> None:
    before = (entry(source(path)) / "engine.json").stat().st_mtime_ns
    loading.load(source(path), "image", 1)
    assert (entry(source(path)) / "engine.json").stat().st_mtime_ns == before


def test_a_refusal_is_kept_too(path: Path) -> None:
    joblib.dump(REFUSED["many_classes"][0](), path)
    served = loading.load(source(path), "image", 1)
    assert (served.engine, "several outputs" in served.acceleration) == ("sklearn", True)
    before = (entry(source(path)) / "engine.json").stat().st_mtime_ns
    assert loading.load(source(path), "image", 1).acceleration == served.acceleration
    assert (entry(source(path)) / "engine.json").stat().st_mtime_ns == before


def test_an_engine_that_was_changed_is_refused_and_made_anew(path: Path) -> None:
    file = entry(source(path)) / "engine.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"TreeEnsemble", b"TreeEnsemblf"))
    assert isinstance(loading.load(source(path), "image", 1).model, AcceleratedModel)
    assert file.read_bytes() == whole


def test_an_engine_that_onnxruntime_cannot_read_leaves_the_original(path: Path) -> None:
    given = source(path)
    store, key = Store(Path(given.prepared or "")), entry(given).name
    manifest = store.find(key)
    assert manifest is not None
    assert manifest.engine is not None
    store.put(key, damaged(manifest, manifest.engine), b"no engine")
    served = loading.load(given, "image", 1)
    assert served.engine == "sklearn"
    assert "the prepared engine cannot be used" in served.acceleration


def damaged(manifest: Manifest, engine: Engine) -> Manifest:
    """A manifest that vouches for bytes that are no engine."""
    told = msgspec.structs.replace(engine, sha256=hashlib.sha256(b"no engine").hexdigest())
    return msgspec.structs.replace(manifest, engine=told)


def test_a_manifest_that_nobody_can_read_is_written_anew(path: Path) -> None:
    (entry(source(path)) / "engine.json").write_bytes(b"{")
    assert isinstance(loading.load(source(path), "image", 1).model, AcceleratedModel)


def test_another_artifact_has_another_engine(path: Path) -> None:
    first = entry(source(path))
    joblib.dump(ACCELERATED["linear"](), path)
    assert loading.load(source(path), "image", 1).model.type == "sklearn_linear_regression"
    assert entry(source(path)) != first


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_keeps_no_engine_but_serves_one(fresh: Path) -> None:
    folder = fresh.parent / "prepared"
    folder.mkdir(mode=0o500)
    assert isinstance(loading.load(source(fresh), "image", 1).model, AcceleratedModel)


def test_a_folder_that_cannot_be_made_keeps_no_engine_but_serves_one(fresh: Path) -> None:
    (fresh.parent / "file").write_text("")
    given = source(fresh, prepared=str(fresh.parent / "file" / "prepared"))
    assert isinstance(loading.load(given, "image", 1).model, AcceleratedModel)


def test_a_conversion_that_takes_too_long_is_ended_and_refused(fresh: Path) -> None:
    given = source(fresh)
    artifact = digest_of(fresh)
    store, key = process.prepared(given, artifact, seconds=0.01)
    manifest = store.find(key)
    assert manifest is not None
    assert (manifest.engine, "took longer than" in manifest.reason) == (None, True)


def test_a_model_that_cannot_be_loaded_leaves_nothing(fresh: Path) -> None:
    fresh.write_bytes(b"no pickle")
    store, key = process.prepared(source(fresh), digest_of(fresh))
    assert store.find(key) is None


def test_other_frameworks_are_served_as_they_are(path: Path) -> None:
    assert not process.eligible(source(path, framework="torch"))
    assert not process.eligible(source(path, acceleration="Off"))


def test_the_memory_of_preparing_is_bounded_by_the_containers(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    assert bounds.memory_limit(limit) is None
    limit.write_text("max\n")
    assert bounds.memory_limit(limit) is None
    limit.write_text("1000\n")
    assert bounds.memory_limit(limit) == 900


def test_fetch_prepares_and_the_server_imports_no_sklearn(tmp_path: Path, fresh: Path) -> None:
    config = config_for(
        fresh, model={"acceleration": "Auto", "prepared": str(tmp_path / "prepared"), "uri": fresh.as_uri()}
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    with runtime(tmp_path, "fetch", "--config", str(tmp_path / "config.json")) as fetch:
        assert fetch.finish() == 0
        reasons = [event["reason"] for event in fetch.events if event["event"] == "model is prepared"]
        assert reasons[0].startswith("onnxruntime (float32): ")
    program = (
        "import sys\nfrom pathlib import Path\nfrom mlneuron_runtime import loading, server, settings\n"
        f"config = settings.read_config(Path({str(tmp_path / 'config.json')!r}))\n"
        "print(loading.load(config.model, 'image', 1).engine)\nprint('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert "onnxruntime" in modules
    assert modules.isdisjoint({"sklearn", "scipy", "joblib", "pandas", "onnx", "skl2onnx", "xgboost", "torch"})


def test_a_server_that_finds_nothing_prepared_prepares(tmp_path: Path, fresh: Path) -> None:
    from urllib.request import urlopen

    with serving(
        tmp_path, config_for(fresh, model={"acceleration": "Auto", "prepared": str(tmp_path / "prepared")})
    ) as process:
        with urlopen(f"{process.url}/models") as answer:
            told = json.loads(answer.read())["model_metadata"]["primary"]
        assert told["engine"] == "onnxruntime"
        assert told["classes"] == ["low", "mid", "top"]


def test_a_model_file_served_by_hand_may_leave_its_engine_in_the_users_cache(tmp_path: Path, fresh: Path) -> None:
    arguments = ("serve", str(fresh), "--port", "0", "--metrics-port", "0", "--grpc-port", "0")
    with runtime(tmp_path, *arguments, XDG_CACHE_HOME=str(tmp_path / "cache")) as process:
        process.wait_for("ready")
    assert list((tmp_path / "cache" / "mlneuron" / "engines").glob("*/engine.onnx"))


def test_a_model_file_served_by_hand_without_acceleration_prepares_nothing(tmp_path: Path, fresh: Path) -> None:
    arguments = ("serve", str(fresh), "--acceleration", "Off", "--port", "0", "--metrics-port", "0", "--grpc-port", "0")
    with runtime(tmp_path, *arguments, XDG_CACHE_HOME=str(tmp_path / "cache")) as process:
        process.wait_for("ready")
    assert not (tmp_path / "cache").exists()


async def test_the_original_takes_the_large_calls_once_one_has_come(path: Path) -> None:
    given = loading.load(source(path), "image", 1).model
    assert isinstance(given, AcceleratedModel)
    original = InlineModel(lambda inputs: Prediction(np.full(len(inputs[0]), "original")), Matrix(5))
    model = Relieved(given, lambda: original, crossover=10)
    assert told(model, 10) != "original"
    await until(lambda: told(model, 10) == "original")
    assert told(model, 9) != "original"


async def test_an_original_that_cannot_be_loaded_leaves_the_large_calls_to_the_engine(path: Path) -> None:
    given = loading.load(source(path), "image", 1).model
    assert isinstance(given, AcceleratedModel)
    tried: list[bool] = []

    def fail() -> Model:
        tried.append(True)
        raise MemoryError

    model = Relieved(given, fail, crossover=10)
    told(model, 20)
    await until(lambda: bool(tried))
    assert told(model, 20) in {"low", "mid", "top"}
    assert len(tried) == 1


def told(model: Model, rows: int) -> str:
    first: str = model.predict((ROWS[:rows],)).values.tolist()[0]
    return first
