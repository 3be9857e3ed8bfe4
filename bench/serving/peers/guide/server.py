"""The guide's server, as far as prediction goes: FastAPI, a pydantic body and answer, `predict` then `predict_proba`.

What the guide imports and does not use for a prediction (transformers, mlflow, its federation client) is left out,
which is in its favour.

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
    """A network behind the two methods that the guide calls, each a pass of its own, as skorch has them."""

    def __init__(self, path: Path) -> None:
        import torch

        torch.set_num_threads(1)
        self.torch, self.network = torch, torch.jit.load(path).eval()

    def predict_proba(self, rows):
        """(rows, classes)."""
        with self.torch.inference_mode():
            return self.torch.softmax(self.network(self.torch.from_numpy(rows.astype(np.float32))), dim=1).numpy()

    def predict(self, rows):
        """(rows,)."""
        return self.predict_proba(rows).argmax(axis=1)


def load(path: Path):
    """The model in a file, by its extension."""
    if path.suffix == ".pt":
        return TorchModel(path)
    if path.suffix == ".ubj":
        import xgboost

        model = xgboost.XGBClassifier()
        model.load_model(path)
        return model
    import joblib

    return joblib.load(path)


class MLNeuron:
    """The guide's class, with the bookkeeping that it does for a prediction."""

    def __init__(self, path: Path) -> None:
        self.models = {"primary": load(path)}
        self.metrics = {"total_predictions": 0, "successful_predictions": 0, "failed_predictions": 0, "average": 0.0}

    async def predict(self, features: list[float], model_version: str = "primary"):
        """One prediction, on the event loop as in the guide."""
        start_time = time.time()
        try:
            if model_version not in self.models:
                raise ValueError(f"Model version {model_version} not available")
            model = self.models[model_version]
            features_array = np.array(features).reshape(1, -1)
            prediction = model.predict(features_array)[0]
            confidence = float(np.max(model.predict_proba(features_array)[0]))
            inference_time = int((time.time() - start_time) * 1000)
            self.metrics["total_predictions"] += 1
            self.metrics["successful_predictions"] += 1
            total = self.metrics["total_predictions"]
            self.metrics["average"] = (self.metrics["average"] * (total - 1) + inference_time) / total
            return {
                "prediction": float(prediction),
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
