"""The least that a grpc.aio server does: ModelInfer answers a constant, with the messages of the Open Inference
Protocol.

    python grpc_constant.py MODEL PORT
"""

# Generated protocol buffers have no types.
# mypy: ignore-errors

import sys

import grpc
import uvloop
from tritonclient.grpc import service_pb2, service_pb2_grpc


class Constant(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The service with one method."""

    async def ModelInfer(self, request, context):
        """An answer of one class and one probability, made anew each time as a real one is."""
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        output = answer.outputs.add(name="predict", datatype="INT64", shape=[1])
        output.contents.int64_contents.append(0)
        return answer


async def main(port: int) -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Constant(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[2])))
