"""The Open Inference Protocol over gRPC. Imported only where `serving.grpc` asks for it: it costs memory and start."""
