"""The parts of a uri; which uris are admitted at all is tested on a real API server, in tests/integration."""

import pytest
from mlneuron_operator.api.uri import ModelUri

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("pvc://models/a/b.joblib", ("pvc", "models", "a/b.joblib")),
        ("http://host:8000/m.pkl", ("http", "host:8000", "m.pkl")),
        ("https://host/a/m.pt?x=1#y", ("https", "host", "a/m.pt?x=1#y")),
        ("s3://bucket/a b/m.ubj", ("s3", "bucket", "a b/m.ubj")),
        ("gs://bucket/m", ("gs", "bucket", "m")),
        ("models:/house prices/3", ("models", "house prices", "/3")),
        ("models:/churn@champion", ("models", "churn", "@champion")),
        ("file:///opt/m.onnx", ("file", "", "opt/m.onnx")),
        (
            "oci://registry.example.com/models/churn:1.0/model.joblib",
            ("oci", "registry.example.com/models/churn:1.0", "model.joblib"),
        ),
        ("oci://localhost:5000/churn:v1/a:b/m.onnx", ("oci", "localhost:5000/churn:v1", "a:b/m.onnx")),
        (f"oci://ghcr.io/a/b@sha256:{HEX}/m.pt", ("oci", f"ghcr.io/a/b@sha256:{HEX}", "m.pt")),
        (f"oci://ghcr.io/a/b:1@sha256:{HEX}/m.pt", ("oci", f"ghcr.io/a/b:1@sha256:{HEX}", "m.pt")),
    ],
)
def test_a_uri_has_parts(uri: str, parts: tuple[str, str, str]) -> None:
    assert ModelUri.parse(uri) == parts


@pytest.mark.parametrize("uri", ["oci://registry.example.com/churn/m.onnx", "models:/churn", "/opt/m.onnx", "s3://b"])
def test_what_is_written_in_no_known_way_is_refused_with_the_ways(uri: str) -> None:
    with pytest.raises(ValueError, match=r"spec\.model\.uri is .*: write pvc://CLAIM/PATH, "):
        ModelUri.parse(uri)
