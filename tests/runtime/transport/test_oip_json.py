"""Outputs as JSON: many values are encoded as they lie, and have to read as those of Python."""

from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mlneuron_runtime.signature.values import SHORT
from mlneuron_runtime.tensors import DTYPES
from mlneuron_runtime.transport.oip_json import json_output
from mlneuron_runtime.transport.wire import encode

NUMBERS = sorted(set(DTYPES) - {"BYTES"})

MANY = st.sampled_from(NUMBERS).flatmap(
    lambda datatype: arrays(DTYPES[datatype], st.tuples(st.integers(SHORT, SHORT + 9), st.integers(2, 3)))
)


@given(values=MANY, layout=st.sampled_from([lambda a: a, lambda a: a.T, lambda a: a[:, 1], lambda a: a[::-1]]))
def test_many_values_are_written_as_python_writes_them(values: Any, layout: Any) -> None:
    laid = layout(values)
    written = encode(json_output("p", laid)["data"])
    assert written == orjson.dumps(np.ravel(laid).tolist())
