"""Whom a request is about, read from its headers and its body."""

import json
from typing import Any

import pytest
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.traffic.subject import Asked, Pin, of_request
from mlneuron_runtime.traffic.table import Subject, Where

WHERE = Where.of(Subject())


def read(protocol: str, body: Any, version: str | None = None, **headers: str) -> Asked:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of_request(WHERE, protocol, given, content, version)


@pytest.mark.parametrize(
    ("protocol", "body"),
    [("guide", {"user_id": "ann"}), ("v1", {"user_id": "ann"}), ("v2", {"parameters": {"user_id": "ann"}})],
)
def test_the_body_names_the_subject_and_the_header_beats_it(protocol: str, body: Any) -> None:
    assert read(protocol, body).subject == b"ann"
    assert read(protocol, body, x_user_id="bob").subject == b"bob"


def test_a_number_is_the_same_subject_as_its_digits() -> None:
    assert read("guide", {"user_id": 42}).subject == read("guide", {}, x_user_id="42").subject == b"42"


@pytest.mark.parametrize("subject", [None, "", True, 1.5, [1], {"id": 1}])
def test_what_is_no_subject_is_none(subject: Any) -> None:
    assert read("guide", {"user_id": subject}).subject is None


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"user_id"', b'{"user_id": NaN}', b'\xff"user_id"'])
def test_what_cannot_be_read_names_nobody(body: bytes) -> None:
    assert read("guide", body) == Asked()


def test_a_field_of_that_name_elsewhere_is_no_subject() -> None:
    assert read("guide", {"features": {"user_id": "ann"}}).subject is None
    assert read("v2", {"inputs": [{"name": "user_id"}]}).subject is None
    assert read("v2", {"user_id": "ann", "parameters": 3}).subject is None


def test_pins_come_from_the_header_the_path_or_the_guides_body() -> None:
    body = {"model_version": "2"}
    assert read("guide", body).pin == Pin("2", "model_version")
    assert read("guide", body, x_neuron_variant="3").pin == Pin("3", "X-Neuron-Variant")
    assert read("v2", body, version="4").pin == Pin("4", "model_version")
    assert read("v1", body).pin is None
    for none in ("latest", None, 7, ""):
        assert read("guide", {"model_version": none}).pin is None
    assert read("guide", {}, x_neuron_variant="latest").pin is None


def test_rows_may_have_subjects_of_their_own() -> None:
    rows = read("guide", {"batch_features": [[1], [2], [3]], "user_ids": ["ann", None, 42]}).rows
    assert rows is not None
    assert (rows.field, rows.subjects) == ("batch_features", [b"ann", None, b"42"])
    assert read("v1", {"inputs": [[1]], "user_ids": ["ann"]}).rows is not None
    assert read("guide", {"batch_features": [[1]], "user_ids": ["ann"], "model_version": "2"}).rows is None
    assert read("guide", {"features": [1], "user_ids": ["ann"]}).rows is None


@pytest.mark.parametrize(
    "body", [{"instances": [[1]], "user_ids": ["a", "b"]}, {"instances": [[1]], "user_ids": "a"}, {"user_ids": ["a"]}]
)
def test_subjects_that_do_not_match_the_rows_are_refused(body: Any) -> None:
    with pytest.raises(InvalidInput, match="user_ids"):
        read("v1", body)
