"""Specs of neurons in few words, fine but for what a test puts in."""

from typing import Any, Final

Spec = dict[str, Any]

DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def model(uri: str, **fields: Any) -> Spec:
    return {"model": {"uri": uri, **fields}}


def fine(**spec: Any) -> Spec:
    return {**model("https://models.example.com/m.joblib"), **spec}


def pods(**fields: Any) -> Spec:
    return fine(podTemplate=fields)


def source(**fields: Any) -> Spec:
    return pods(env=[{"name": "TOKEN", "valueFrom": fields}])


def serving(**fields: Any) -> Spec:
    return fine(serving=fields)


def logged(**fields: Any) -> Spec:
    return serving(payloadLog={"url": "http://collector/events", **fields})


def column(**fields: Any) -> Spec:
    return model("https://models.example.com/m.joblib", inputs=[fields])


def route(**fields: Any) -> Spec:
    return fine(route={"host": "churn.example.com", **fields})
