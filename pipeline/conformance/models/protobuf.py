"""Fields of protobuf messages, which ONNX and TensorFlow use."""

from __future__ import annotations


def field(number: int, value: int | bytes) -> bytes:
    """Return a protobuf field with a number of at most 64 bits, or with bytes.

    >>> field(1, 300).hex(), field(2, b"x").hex()
    ('08ac02', '120178')
    """
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    data.append(value)
    return bytes(data)
