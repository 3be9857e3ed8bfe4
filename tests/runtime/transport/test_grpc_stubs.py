"""The generated modules are what the .proto files say, and live beside a public client's."""

from mlneuron_runtime.transport.grpc import inference_pb2
from tritonclient.grpc import service_pb2

from dev import protos

PARAMETER = inference_pb2.InferParameter(double_param=0.5)


def test_the_generated_modules_are_those_of_the_proto_files() -> None:
    drifted = [path.name for path, text in protos.generated() if path.read_text() != text]
    assert not drifted, "run .venv/bin/python -m dev.protos"


def test_every_message_is_read_by_a_public_clients_as_it_was_written() -> None:
    ours = inference_pb2.ModelInferRequest(model_name="m", id="1", parameters={"a": PARAMETER})
    ours.inputs.add(name="x", datatype="FP32", shape=[1, 2], contents={"fp32_contents": [1, 2]})
    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())
    assert str(theirs) == str(ours)
