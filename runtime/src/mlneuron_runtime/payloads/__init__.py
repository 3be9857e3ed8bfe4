"""Requests and answers sent elsewhere as CloudEvents, for those who watch models: sampled, bounded, redacted."""

from mlneuron_runtime.payloads.event import LARGEST, Exchange, Payload
from mlneuron_runtime.payloads.sender import PayloadLog

__all__ = ["LARGEST", "Exchange", "Payload", "PayloadLog"]
