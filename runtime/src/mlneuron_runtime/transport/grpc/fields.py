"""Fields of protocol buffers as bytes, for messages that are made so often that their objects would cost more. Pure.

A field is its number, its length and its content; numbers are of seven bits a byte, the lowest first.
"""

from collections.abc import Sequence

DELIMITED = 2
"""The wire type of texts, messages, and numbers one after the other."""


def field(number: int, content: bytes) -> bytes:
    """A text, a message or packed numbers, in a field of a number below 16."""
    return head(number, len(content)) + content


def head(number: int, size: int) -> bytes:
    """What is before a field's content of so many bytes."""
    return bytes((number << 3 | DELIMITED, *varint(size)))


def text(number: int, value: str) -> bytes:
    """An empty one is left out, as messages of proto3 do."""
    return field(number, value.encode()) if value else b""


def packed(number: int, values: Sequence[int]) -> bytes:
    """Whole numbers from 0; no field where there are none."""
    return field(number, bytes([byte for value in values for byte in varint(value)])) if values else b""


def varint(value: int) -> tuple[int, ...]:
    """The bytes of a whole number from 0."""
    if value < 0x80:
        return (value,)
    return (value & 0x7F | 0x80, *varint(value >> 7))
