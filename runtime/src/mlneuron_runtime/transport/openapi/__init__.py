"""The OpenAPI document of port 8080, made of the model that is served: one module a part of it."""

from mlneuron_runtime.transport.openapi.document import document, routes

__all__ = ["document", "routes"]
