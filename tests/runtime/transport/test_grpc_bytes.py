"""What is read and written of gRPC's messages without protocol buffers is what they would read and write."""

from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mlneuron_runtime.errors import InvalidInput
from mlneuron_runtime.tensors import DTYPES, datatype_of
from mlneuron_runtime.transport.binary import bytes_of
from mlneuron_runtime.transport.grpc import messages
from mlneuron_runtime.transport.grpc.forms import LARGEST_HEAD, MOST, Forms
from mlneuron_runtime.transport.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse
from mlneuron_runtime.transport.oip import Asked, Told

MANY = settings(max_examples=500, deadline=None)

FIELDS = {**messages.FIELDS, "FP16": "fp32_contents"}

Read = tuple[str, str, bool, Asked]


def request(datatype: str, shape: list[int], numbers: bytes, raw: bool, **more: Any) -> bytes:
    """A request with the numbers, all of them 0 where they are typed and no floats."""
    message = ModelInferRequest(**{"model_name": "iris", **more})
    tensor = message.inputs.add(name="x", datatype=datatype, shape=shape)
    if raw:
        message.raw_input_contents.append(numbers)
    elif datatype in ("FP32", "FP64"):
        values = np.frombuffer(numbers, np.float32 if datatype == "FP32" else np.float64)
        getattr(tensor.contents, FIELDS[datatype]).extend(values.tolist())
    else:
        getattr(tensor.contents, FIELDS[datatype]).extend([0] * int(np.prod(shape)))
    return bytes(message.SerializeToString())


def by_form(forms: Forms, message: bytes) -> Read | None:
    form = forms.of(message)
    return None if form is None else (form.model_name, form.model_version, form.raw, form.asked(message))


def by_protobuf(message: bytes) -> Read | None:
    """None for what is refused."""
    try:
        told = ModelInferRequest.FromString(message)
        return told.model_name, told.model_version, bool(told.raw_input_contents), messages.asked(told)
    except (DecodeError, InvalidInput):
        return None


def learned(forms: Forms, message: bytes) -> None:
    """As the service does with a message that it has no form for."""
    read = by_protobuf(message)
    if read is not None and forms.of(message) is None:
        forms.learn(message, ModelInferRequest.FromString(message), read[3].tensors)


def assert_same(read: Read | None, expected: Read | None) -> None:
    assert read is not None
    assert expected is not None
    assert read[:3] == expected[:3]
    asked, wanted = read[3], expected[3]
    assert (asked.outputs, asked.id, asked.timeout) == (wanted.outputs, wanted.id, wanted.timeout)
    (tensor,), (other,) = asked.tensors, wanted.tensors
    assert (tensor.name, tensor.array.dtype, tensor.array.shape) == (other.name, other.array.dtype, other.array.shape)
    assert np.array_equal(tensor.array, other.array, equal_nan=tensor.array.dtype.kind == "f")
    assert tensor.array.flags.writeable
    assert tensor.array.flags.aligned


numeric = st.sampled_from(["FP64", "FP32"])
sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@MANY
@given(st.data(), numeric | st.sampled_from(["INT64", "INT8", "BOOL", "FP16"]), sizes, st.booleans())
def test_a_known_form_gives_what_protocol_buffers_do(
    data: st.DataObject, datatype: str, shape: list[int], raw: bool
) -> None:
    count = int(np.prod(shape)) * DTYPES[datatype].itemsize
    first, second = (
        data.draw(st.binary(min_size=count, max_size=count)),
        data.draw(st.binary(min_size=count, max_size=count)),
    )
    forms = Forms()
    learned(forms, request(datatype, shape, first, raw))
    message = request(datatype, shape, second, raw)
    read = by_form(forms, message)
    has_form = (raw and datatype != "BOOL") or (not raw and datatype in ("FP32", "FP64"))
    if datatype in ("FP32", "FP64") and not raw and np.isnan(np.frombuffer(first, DTYPES[datatype])).any():
        return  # protocol buffers may give another NaN, and then the message is not known as plain
    assert (read is not None) == has_form
    if read is not None:
        assert_same(read, by_protobuf(message))


@MANY
@given(st.data(), numeric, sizes, st.booleans(), st.text(max_size=3), st.text(max_size=3))
def test_a_form_is_taken_only_of_messages_that_are_alike(
    data: st.DataObject, datatype: str, shape: list[int], raw: bool, version: str, identifier: str
) -> None:
    """Bytes are changed anywhere, in what is learned and in what is asked, and whole fields are added."""
    count = int(np.prod(shape)) * DTYPES[datatype].itemsize
    more = {"model_version": version, "id": identifier}
    good = request(datatype, shape, data.draw(st.binary(min_size=count, max_size=count)), raw, **more)
    added = st.sampled_from(
        [b"", b"\x1a\x01a", b"\x32\x03\x0a\x01y", b"\x7a\x01\x00", b"\x0a\x01z", good, good[-count:]]
    )
    forms = Forms()
    message = good
    for _ in range(4):
        learned(forms, message)
        changed = bytearray(good + data.draw(added))
        for place in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=3)):
            changed[place] = data.draw(st.integers(0, 255))
        message = bytes(changed)
        read = by_form(forms, message)
        if read is not None:
            assert_same(read, by_protobuf(message))


MORE = {
    "id": b"\x1a\x01a",
    "output": b"\x32\x03\x0a\x01y",
    "parameter": b"\x22\x08\x0a\x02no\x12\x02\x10\x01",
    "unknown field": b"\x7a\x01\x00",
    "unknown field with the same bytes": b"\x7a\x08" + bytes(8),
}


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
@pytest.mark.parametrize("raw", [False, True])
def test_what_holds_more_than_one_tensor_has_no_form(more: bytes, raw: bool) -> None:
    one = request("FP64", [1, 1], bytes(8), raw)
    for message in (one + more, more + one):
        assert by_protobuf(message) is not None
        forms = Forms()
        learned(forms, message)
        assert forms.of(message) is None


def test_so_many_forms_are_kept_and_none_with_a_long_head() -> None:
    forms = Forms()
    for columns in range(1, MOST + 2):
        learned(forms, request("FP64", [1, columns], bytes(8 * columns), raw=False))
    known = [forms.of(request("FP64", [1, columns], bytes(8 * columns), raw=False)) for columns in range(1, MOST + 2)]
    assert [form is not None for form in known] == [False] * MOST + [True]
    long = request("FP64", [1, 1], bytes(8), raw=False, model_version="v" * LARGEST_HEAD)
    learned(forms, long)
    assert forms.of(long) is None


class Named:
    """Of what is served, what an answer tells."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version


def encoded(told: Any, raw: bool) -> bytes:
    """The answer as protocol buffers encode it."""
    made = ModelInferResponse(model_name=told.served.name, model_version=told.served.version, id=told.id)
    raw = raw or any(datatype_of(values) not in messages.FIELDS for values in told.outputs.values())
    for name, values in told.outputs.items():
        datatype = datatype_of(values)
        output = made.outputs.add(name=name, datatype=datatype, shape=values.shape)
        if raw:
            made.raw_output_contents.append(bytes_of(values))
        elif values.size:
            getattr(output.contents, messages.FIELDS[datatype]).extend(messages.listed(values, datatype))
    return bytes(made.SerializeToString())


kinds = st.sampled_from(["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
outputs = st.dictionaries(
    st.text(max_size=4),
    kinds.flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)))
    | arrays.arrays("i8", st.integers(1, 300), elements=st.integers(-2, 130))
    | st.lists(st.text(max_size=3), min_size=1, max_size=3).map(lambda texts: np.array(texts, object)),
    max_size=3,
)


@MANY
@given(outputs, st.text(max_size=3), st.text(max_size=200), st.booleans())
def test_an_answer_is_to_the_byte_what_protocol_buffers_encode(
    outputs: dict[str, Any], version: str, identifier: str, raw: bool
) -> None:
    told: Any = Told(Named("iris", version), identifier, outputs)  # type: ignore[arg-type]  # all that is asked of it
    assert messages.answer(told, raw) == encoded(told, raw)
