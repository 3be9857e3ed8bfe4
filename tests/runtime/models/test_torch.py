"""TorchScript and exported programs answer as the module they were made from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import warm_up
from mlneuron_runtime.models.base import Artifact
from mlneuron_runtime.models.few import Few
from mlneuron_runtime.tensors import TensorSpec

torch = pytest.importorskip("torch", reason="the torch extra is not installed")

from mlneuron_runtime.models import torch as loader  # noqa: E402  # after the skip

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning", "ignore:.torch.jit:DeprecationWarning")

IMAGE = "registry.test/mlneuron-runtime:1"
ROWS = np.random.default_rng(3).normal(size=(11, 4))


def network(outputs: int) -> Any:
    torch.manual_seed(outputs)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Dropout(0.9), torch.nn.ReLU(), torch.nn.Linear(8, outputs)
    )


def scripted(module: Any, path: Path, note: dict[str, Any] | None = None) -> Any:
    extra = {} if note is None else {"mlneuron.json": json.dumps(note)}
    torch.jit.save(torch.jit.script(module), path, _extra_files=extra)
    return loader.load(Artifact(path, IMAGE)).model


def exported(module: Any, path: Path, batch: int | None = None, note: dict[str, Any] | None = None) -> Any:
    dynamic = ({0: torch.export.Dim("batch")},) if batch is None else None
    program = torch.export.export(module.eval(), (torch.zeros(batch or 2, 4),), dynamic_shapes=dynamic)
    torch.export.save(program, path, extra_files={} if note is None else {"mlneuron.json": json.dumps(note)})
    return loader.load(Artifact(path, IMAGE)).model


def answers(module: Any) -> Any:
    with torch.inference_mode():
        return module.eval()(torch.from_numpy(ROWS.astype(np.float32))).numpy()


@pytest.mark.parametrize("save", [scripted, exported])
def test_one_output_is_a_number_a_row(tmp_path: Path, save: Any) -> None:
    module = network(1)
    predicted = save(module, tmp_path / "m.pt2").predict((ROWS,))
    np.testing.assert_allclose(predicted.values, answers(module)[:, 0], rtol=1e-5)
    assert predicted.confidence is None


@pytest.mark.parametrize("save", [scripted, exported])
def test_several_outputs_are_a_list_a_row_since_nothing_says_they_are_logits(tmp_path: Path, save: Any) -> None:
    module = network(3)
    predicted = save(module, tmp_path / "m.pt2").predict((ROWS,))
    np.testing.assert_allclose(predicted.values, answers(module), rtol=1e-5)
    assert predicted.confidence is None


@pytest.mark.parametrize("save", [scripted, exported])
def test_a_note_of_logits_makes_a_classifier(tmp_path: Path, save: Any) -> None:
    module = network(3)
    note = {"features": 4, "output": "logits", "classes": ["a", "b", "c"]}
    model = save(module, tmp_path / "m.pt2", note=note)
    predicted = model.predict((ROWS,))
    logits = answers(module)
    assert predicted.values.tolist() == [["a", "b", "c"][best] for best in logits.argmax(axis=1)]
    powers = np.exp(logits)
    np.testing.assert_allclose(
        predicted.confidence, (powers / powers.sum(axis=1, keepdims=True)).max(axis=1), rtol=1e-5
    )
    assert model.details == {"device": "cpu", "output": "logits", "classes": ["a", "b", "c"]}


def test_one_logit_is_a_binary_classifier(tmp_path: Path) -> None:
    module = network(1)
    predicted = scripted(module, tmp_path / "m.pt", {"output": "logits"}).predict((ROWS,))
    logits = answers(module)[:, 0]
    assert predicted.values.tolist() == (logits > 0).astype(int).tolist()
    np.testing.assert_allclose(predicted.confidence, 1 / (1 + np.exp(-np.abs(logits))), rtol=1e-5)


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    module = torch.nn.Sequential(network(3), torch.nn.Softmax(dim=1))
    predicted = scripted(module, tmp_path / "m.pt", {"output": "probabilities"}).predict((ROWS,))
    np.testing.assert_allclose(predicted.confidence, answers(module).max(axis=1), rtol=1e-5)


@pytest.mark.parametrize("classes", [None, ["a", "b", "c"]])
@pytest.mark.parametrize("output", ["logits", "probabilities"])
def test_few_rows_are_answered_as_among_many(tmp_path: Path, output: str, classes: list[str] | None) -> None:
    module = network(3) if output == "logits" else torch.nn.Sequential(network(3), torch.nn.Softmax(dim=1))
    model = scripted(module, tmp_path / "m.pt", {"output": output, "classes": classes})
    rows = np.random.default_rng(5).normal(size=(40, 4))
    many = model.predict((rows,))
    for size in (1, 8):
        few = model.predict((rows[:size],))
        assert isinstance(few, Few)
        assert list(few.listed[0]) == few.values.tolist() == many.values[:size].tolist()
        assert list(few.listed[1]) == few.confidence.tolist()
        np.testing.assert_allclose(few.confidence, many.confidence[:size], rtol=1e-6)  # torch adds otherwise in batches
        np.testing.assert_allclose(few.others["probabilities"], many.others["probabilities"][:size], rtol=1e-5)
        assert few.specs() == many.specs()


def test_logits_that_are_no_numbers_are_answered_as_among_many(tmp_path: Path) -> None:
    model = scripted(torch.nn.Identity(), tmp_path / "m.pt", {"features": 3, "output": "logits"})
    rows = np.array([[1.0, np.inf, 2.0], [-np.inf, 0.0, 1.0]])
    with np.errstate(invalid="ignore"):
        few, many = model.predict((rows,)), model.predict((np.repeat(rows, 8, axis=0),))
        assert few.listed[0] == many.listed[0][::8]
    np.testing.assert_array_equal(few.listed[1], many.listed[1][::8])


@pytest.mark.parametrize("batch", [1, 4])
def test_a_program_of_fixed_batch_size_serves_any_number_of_rows(tmp_path: Path, batch: int) -> None:
    module = network(2)
    predicted = exported(module, tmp_path / "m.pt2", batch).predict((ROWS,))
    np.testing.assert_allclose(predicted.values, answers(module), rtol=1e-5)


@pytest.mark.parametrize("save", [scripted, exported])
def test_the_width_is_found_in_the_artifact(tmp_path: Path, save: Any) -> None:
    model = save(network(1), tmp_path / "m.pt2")
    assert model.signature.features == 4
    warm_up(model)


def test_double_precision_is_kept(tmp_path: Path) -> None:
    module = torch.nn.Linear(4, 1).double()
    predicted = scripted(module, tmp_path / "m.pt").predict((ROWS,))
    with torch.inference_mode():
        assert predicted.values.tolist() == module(torch.from_numpy(ROWS))[:, 0].tolist()


class Total(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here, as it may be absent
    def forward(self, rows: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        return rows.sum(dim=1)


class Pair(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here, as it may be absent
    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[name-defined]
        return rows.sum(dim=1), rows


def test_a_module_without_weights_takes_any_width(tmp_path: Path) -> None:
    model = scripted(Total(), tmp_path / "m.pt")
    assert model.signature.features is None
    assert model.predict((np.array([[1.0, 2.0]]),)).values.tolist() == [3.0]
    with structlog.testing.capture_logs() as events:
        warm_up(model)
    assert "warm-up skipped" in events[0]["event"]


def test_a_module_that_returns_two_tensors_fails_its_warm_up(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match="must return one tensor") as failed:
        warm_up(scripted(Pair(), tmp_path / "m.pt", {"features": 2}))
    assert failed.value.reason is Reason.MODEL_WARMUP_FAILED


class Difference(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here, as it may be absent
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        return (left - right).sum(dim=1)


class Pixels(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here, as it may be absent
    """A network for images of three colours, 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 3)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        return self.layers(images)


IMAGES = np.random.default_rng(5).normal(size=(5, 3, 8, 8)).astype(np.float32)
LEFT, RIGHT = ROWS.astype(np.float32), ROWS[::-1].astype(np.float32)


def declared(path: Path, *inputs: TensorSpec) -> Any:
    return loader.load(Artifact(path, IMAGE, 1, inputs)).model


def test_a_program_of_two_inputs_takes_them_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    batch = {0: torch.export.Dim("batch")}
    program = torch.export.export(Difference(), (torch.zeros(2, 4), torch.zeros(2, 4)), dynamic_shapes=(batch, batch))
    torch.export.save(program, path)
    model = loader.load(Artifact(path, IMAGE)).model
    assert model.signature.inputs == (TensorSpec("left", "FP32", (4,)), TensorSpec("right", "FP32", (4,)))
    np.testing.assert_allclose(model.predict((LEFT, RIGHT)).values, (LEFT - RIGHT).sum(axis=1), rtol=1e-4, atol=1e-5)
    warm_up(model)
    with pytest.raises(
        Fatal, match=r"2 inputs \(right FP32\[-1, 4\], left .*the model takes 2 inputs \(left"
    ) as failed:
        declared(path, TensorSpec("right", "FP32", (4,)), TensorSpec("left", "FP32", (4,)))
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH


def test_a_script_of_two_inputs_needs_them_declared(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.script(Difference()), path)
    with pytest.raises(Fatal, match=r"takes 2 inputs \(left, right\), whose shapes .*declare each"):
        loader.load(Artifact(path, IMAGE))
    model = declared(path, TensorSpec("right", "FP32", (4,)), TensorSpec("left", "FP32", (4,)))
    assert model.signature.names == ("left", "right")
    np.testing.assert_allclose(model.predict((LEFT, RIGHT)).values, (LEFT - RIGHT).sum(axis=1), rtol=1e-4, atol=1e-5)
    with pytest.raises(Fatal, match=r"a, b declared there, but the model takes 2 inputs") as failed:
        declared(path, TensorSpec("a", "FP32", (4,)), TensorSpec("b", "FP32", (4,)))
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH


def test_images_are_taken_in_the_shape_that_the_program_tells(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    module = Pixels().eval()
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.zeros(2, 3, 8, 8),), dynamic_shapes=batch), path)
    model = loader.load(Artifact(path, IMAGE)).model
    assert model.signature.inputs == (TensorSpec("images", "FP32", (3, 8, 8)),)
    with torch.inference_mode():
        wanted = module(torch.from_numpy(IMAGES)).numpy()
    np.testing.assert_allclose(model.predict((IMAGES,)).values, wanted, rtol=1e-5, atol=1e-6)
    warm_up(model)


def test_images_are_taken_in_the_shape_that_is_declared_where_a_script_tells_none(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.jit.save(torch.jit.script(Pixels()), path)
    model = declared(path, TensorSpec("images", "FP32", (3, 8, 8)))
    warm_up(model)
    assert model.predict((IMAGES,)).values.shape == (5, 3)
    with pytest.raises(Fatal) as failed:
        warm_up(declared(path, TensorSpec("images", "FP32", (3, 7, 8))))
    assert failed.value.reason is Reason.MODEL_WARMUP_FAILED


def test_a_script_without_weights_has_the_width_that_is_declared(tmp_path: Path) -> None:
    model = scripted(Total(), tmp_path / "m.pt")
    assert model.signature.features is None
    model = declared(tmp_path / "m.pt", TensorSpec("a", "FP64"), TensorSpec("b", "FP64"))
    assert (model.signature.features, model.signature.names) == (2, ("a", "b"))
    warm_up(model)


def test_whole_numbers_reach_the_module_as_such(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Flatten(), torch.nn.Linear(8, 1))
    torch.jit.save(torch.jit.script(module), tmp_path / "m.pt")
    model = declared(tmp_path / "m.pt", TensorSpec("ids", "INT64", (2,)))
    warm_up(model)
    with torch.inference_mode():
        wanted = module(torch.tensor([[1, 2], [3, 4]])).numpy()[:, 0]
    np.testing.assert_allclose(model.predict(model.signature.rows([[1, 2], [3, 4]]).inputs).values, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (
            [TensorSpec(name, "FP64") for name in "abc"],
            r"3 inputs \(a FP64, b FP64, c FP64\) there, but the model takes 4 numbers",
        ),
        ([TensorSpec("x", "FP32", (5,))], r"1 input \(x FP32\[-1, 5\]\) there, but the model takes 4 numbers"),
        ([TensorSpec("x", "BYTES")], r"1 input \(x BYTES\) there, but the model takes 4 numbers"),
    ],
)
def test_what_is_declared_must_be_what_the_artifact_takes(tmp_path: Path, inputs: list[TensorSpec], told: str) -> None:
    scripted(network(1), tmp_path / "m.pt")
    with pytest.raises(Fatal, match=told) as failed:
        declared(tmp_path / "m.pt", *inputs)
    assert failed.value.reason is Reason.MODEL_SIGNATURE_MISMATCH


def test_text_is_nothing_for_torch(tmp_path: Path) -> None:
    scripted(Total(), tmp_path / "m.pt")
    with pytest.raises(Fatal, match=r"city is declared as text \(BYTES\), but a torch model takes numbers"):
        declared(tmp_path / "m.pt", TensorSpec("city", "BYTES"))


@pytest.mark.parametrize("saved", [lambda module: module, lambda module: module.state_dict()])
def test_a_torch_save_pickle_is_told_how_to_be_saved(tmp_path: Path, saved: Any) -> None:
    torch.save(saved(network(1)), tmp_path / "m.pt")
    with pytest.raises(Fatal, match=r"the artifact is a torch.save pickle.*save it with torch.export.save"):
        loader.load(Artifact(tmp_path / "m.pt", IMAGE))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    scripted(network(1), tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "m.pt").read_bytes()[:500])
    with pytest.raises(Fatal) as failed:
        loader.load(Artifact(tmp_path / "m.pt", IMAGE))
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_a_note_with_an_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"mlneuron.json is not valid .*output"):
        scripted(network(1), tmp_path / "m.pt", {"output": "vibes"})
