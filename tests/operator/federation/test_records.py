"""Tokens in Secrets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlneuron_operator.federation.records import SELECTOR, TokenRecord, from_secret, secret_name, to_secret
from mlneuron_operator.federation.vault import SecretVault
from mlneuron_operator.kinds import SECRET, Kind

RECORD = TokenRecord("ml.churn", "header.claims.signature", "ml", "churn", "uid-1", 1_800_000_000.0)


class Store:
    """Secrets by name, as an API server keeps them."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}

    async def list_all(self, kind: Kind, *, namespace: str | None, label_selector: str = "") -> list[dict[str, Any]]:
        assert (kind, namespace, label_selector) == (SECRET, "system", SELECTOR)
        return list(self.secrets.values())

    async def apply(self, obj: dict[str, Any], *, force: bool = True) -> dict[str, Any]:
        self.secrets[obj["metadata"]["name"]] = obj
        return obj


def test_a_secret_is_labelled_and_says_whom_it_is_for() -> None:
    assert to_secret(RECORD, "system") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name("ml.churn"),
            "namespace": "system",
            "labels": {"app.kubernetes.io/managed-by": "mlneuron-operator", "ml.findawise.io/token": "true"},
            "annotations": {
                "ml.findawise.io/neuron-id": "ml.churn",
                "ml.findawise.io/neuron-namespace": "ml",
                "ml.findawise.io/neuron-name": "churn",
                "ml.findawise.io/neuron-uid": "uid-1",
                "ml.findawise.io/departed-at": "2027-01-15T08:00:00+00:00",
            },
        },
        "type": "Opaque",
        "data": {"token": "aGVhZGVyLmNsYWltcy5zaWduYXR1cmU="},
    }


texts = st.text(min_size=1, max_size=50)
tokens = st.text("abcXYZ019-_.", min_size=1)


@given(texts, tokens, texts, texts, texts, st.none() | st.integers(0, 4_000_000_000).map(float))
def test_a_record_comes_back_from_its_secret(
    neuron_id: str, token: str, namespace: str, name: str, uid: str, departed: float | None
) -> None:
    record = TokenRecord(neuron_id, token, namespace, name, uid, departed)
    assert from_secret(to_secret(record, "system")) == record


def test_names_of_secrets_are_names_that_kubernetes_takes() -> None:
    assert secret_name("Ünicode/../x") == secret_name("Ünicode/../x") != secret_name("x")
    assert len(secret_name("n" * 5000)) < 63


@pytest.mark.parametrize(
    "spoil",
    [
        {"data": None},
        {"data": {"token": "not base64!"}},
        {"data": {"token": ""}},
        {"metadata": {"name": "x", "annotations": None}},
        {"data": {"token": "bGluZQpicmVhawo="}},
    ],
)
def test_a_spoilt_secret_is_no_record(spoil: dict[str, Any]) -> None:
    assert from_secret(to_secret(RECORD, "system") | spoil) is None


async def test_the_vault_keeps_records_and_passes_over_spoilt_secrets() -> None:
    store = Store()
    vault = SecretVault(store, "system")
    await vault.save(RECORD)
    store.secrets["spoilt"] = {"metadata": {"name": "spoilt"}, "data": {}}
    assert await vault.load() == {"ml.churn": RECORD}
