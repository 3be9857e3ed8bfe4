"""TorchScript and exported programs answer as the module they were made from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from mlneuron_runtime.failure import Fatal, Reason
from mlneuron_runtime.loading import warm_up

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
    return loader.load(path, IMAGE, 1)


def exported(module: Any, path: Path, batch: int | None = None, note: dict[str, Any] | None = None) -> Any:
    dynamic = ({0: torch.export.Dim("batch")},) if batch is None else None
    program = torch.export.export(module.eval(), (torch.zeros(batch or 2, 4),), dynamic_shapes=dynamic)
    torch.export.save(program, path, extra_files={} if note is None else {"mlneuron.json": json.dumps(note)})
    return loader.load(path, IMAGE, 1)


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


def test_a_program_of_two_inputs_is_refused_with_the_mend(tmp_path: Path) -> None:
    class Sum(torch.nn.Module):  # type: ignore[misc,name-defined]  # torch is Any here, as it may be absent
        def forward(self, left: Any, right: Any) -> Any:
            return left + right

    path = tmp_path / "m.pt2"
    torch.export.save(torch.export.export(Sum(), (torch.zeros(2, 4), torch.zeros(2, 4))), path)
    with pytest.raises(Fatal, match=r"export it with one input, \(batch, features\)"):
        loader.load(path, IMAGE, 1)


@pytest.mark.parametrize("saved", [lambda module: module, lambda module: module.state_dict()])
def test_a_torch_save_pickle_is_told_how_to_be_saved(tmp_path: Path, saved: Any) -> None:
    torch.save(saved(network(1)), tmp_path / "m.pt")
    with pytest.raises(Fatal, match=r"the artifact is a torch.save pickle.*save it with torch.export.save"):
        loader.load(tmp_path / "m.pt", IMAGE, 1)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    scripted(network(1), tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "m.pt").read_bytes()[:500])
    with pytest.raises(Fatal) as failed:
        loader.load(tmp_path / "m.pt", IMAGE, 1)
    assert failed.value.reason is Reason.MODEL_LOAD_FAILED


def test_a_note_with_an_error_is_told(tmp_path: Path) -> None:
    with pytest.raises(Fatal, match=r"mlneuron.json is not valid .*output"):
        scripted(network(1), tmp_path / "m.pt", {"output": "vibes"})
