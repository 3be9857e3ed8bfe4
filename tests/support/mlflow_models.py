"""Registers the models of `mlflow_server`: `python -m tests.support.mlflow_models URL FOLDER`."""

import sys
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from .kube import eventually
from .s3_server import answers


def main(url: str, folder: str) -> None:
    """Versions 1 and 2 through the server, 3 in S3, 4 in a folder."""
    eventually("the MLflow server answers", lambda: answers(f"{url}/health"), 180)
    mlflow.set_tracking_uri(url)
    client = MlflowClient()
    on_s3 = client.create_experiment("on-s3", artifact_location="s3://mlflow/models")
    in_folder = client.create_experiment("in-folder", artifact_location=Path(folder, "mounted").as_uri())
    for experiment in ("0", "0", on_s3, in_folder):
        log(experiment)
    client.set_registered_model_alias("churn", "champion", "1")


def log(experiment: str) -> None:
    """One more version of `churn`."""
    rows = np.array([[0.0, 1.0], [1.0, 0.0]])
    model = LogisticRegression().fit(rows, [0, 1])
    with mlflow.start_run(experiment_id=experiment):
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(rows, model.predict(rows)),
            registered_model_name="churn",
            pip_requirements=["scikit-learn"],
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
