"""A model of the suite as a frozen TensorFlow graph (fields by their numbers in graph.proto)."""

from __future__ import annotations

from pipeline.conformance.models.model import SuiteModel
from pipeline.conformance.models.protobuf_field import field

_NUMBER = 2
_FLOAT = 1


def square() -> SuiteModel:
    """Return y = x * x of 1x4 f32."""
    kind = field(6, _FLOAT)
    shape = field(7, b"".join(field(2, field(1, size)) for size in (1, 4)))
    x = field(1, b"x") + field(2, b"Placeholder")
    x += _attribute(b"dtype", kind) + _attribute(b"shape", shape)
    y = field(1, b"y") + field(2, b"Mul") + field(3, b"x") + field(3, b"x")
    return SuiteModel((field(1, x) + field(1, y + _attribute(b"T", kind)),), _NUMBER)


def _attribute(key: bytes, value: bytes) -> bytes:
    return field(5, field(1, key) + field(2, value))
