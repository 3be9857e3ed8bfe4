"""The guide's server, as far as prediction goes: FastAPI, a pydantic body and answer, `predict` then `predict_proba`.

What the guide imports and does not use for a prediction (transformers, mlflow, its federation client) is left out,
which is in its favour. A TorchScript file is called once, as torch code commonly does: logits, softmax, the largest.

    python server.py MODEL PORT
"""

# Fastapi is in an environment of its own.
# mypy: ignore-errors

import sys
import time
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="ML Inference Neuron", version="1.0.0")


class PredictionRequest(BaseModel):
    """The guide's body."""

    features: list[float]
    model_version: str | None = "primary"


class PredictionResponse(BaseModel):
    """The guide's answer."""

    prediction: float
    confidence: float
    model_version: str
    inference_time_ms: int


class TorchModel:
    """A network with the two methods that the guide calls; its answers are those of one call."""

    def __init__(self, path: Path) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, self.network = torch, torch.jit.load(path).eval()

    def both(self, features: list[float]) -> tuple[float, float]:
        """The class and its probability."""
        with self.torch.inference_mode():
            probabilities = self.torch.softmax(self.network(self.torch.tensor([features])), dim=1)[0]
            confidence, prediction = self.torch.max(probabilities, dim=0)
            return float(prediction), float(confidence)


class SklearnModel:
    """Anything with `predict` and `predict_proba`, asked twice as the guide does."""

    def __init__(self, path: Path) -> None:
        self.model = _wrapper(path) if path.suffix == ".ubj" else _pickled(path)

    def both(self, features: list[float]) -> tuple[float, float]:
        """The class and its probability."""
        features_array = np.array(features).reshape(1, -1)
        prediction = self.model.predict(features_array)[0]
        return float(prediction), float(np.max(self.model.predict_proba(features_array)[0]))


def _pickled(path: Path):
    import joblib

    return joblib.load(path)


def _wrapper(path: Path):
    import xgboost

    model = xgboost.XGBClassifier()
    model.load_model(path)
    return model


class MLNeuron:
    """The guide's class, with the bookkeeping that it does for a prediction."""

    def __init__(self, path: Path) -> None:
        self.models = {"primary": TorchModel(path) if path.suffix == ".pt" else SklearnModel(path)}
        self.metrics = {"total_predictions": 0, "successful_predictions": 0, "failed_predictions": 0, "average": 0.0}

    async def predict(self, features: list[float], model_version: str = "primary"):
        """One prediction, on the event loop as in the guide."""
        start_time = time.time()
        try:
            if model_version not in self.models:
                raise ValueError(f"Model version {model_version} not available")
            prediction, confidence = self.models[model_version].both(features)
            inference_time = int((time.time() - start_time) * 1000)
            self.metrics["total_predictions"] += 1
            self.metrics["successful_predictions"] += 1
            total = self.metrics["total_predictions"]
            self.metrics["average"] = (self.metrics["average"] * (total - 1) + inference_time) / total
            return {
                "prediction": prediction,
                "confidence": confidence,
                "model_version": model_version,
                "inference_time_ms": inference_time,
            }
        except Exception as error:
            self.metrics["failed_predictions"] += 1
            raise HTTPException(status_code=500, detail=f"Prediction failed: {error}") from error


@app.post("/predict", response_model=PredictionResponse)
async def predict(request: PredictionRequest):
    """Single prediction endpoint"""
    return PredictionResponse(**await app.state.neuron.predict(request.features, request.model_version))


if __name__ == "__main__":
    app.state.neuron = MLNeuron(Path(sys.argv[1]))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False)
