"""Fields of protobuf messages, which ONNX and TensorFlow use."""

from __future__ import annotations

from pipeline.protobuf.wire import bytes_field, varint_field


def field(number: int, value: int | bytes) -> bytes:
    """Return a protobuf field with a number of at most 64 bits, or with bytes.

    >>> field(1, 300).hex(), field(2, b"x").hex(), field(3, -1).hex()
    ('08ac02', '120178', '18ffffffffffffffffff01')
    """
    if isinstance(value, int):
        return varint_field(number, value & (1 << 64) - 1)
    return bytes_field(number, value)
