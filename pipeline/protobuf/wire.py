"""Read and write protobuf's wire format without a schema, from bytes that may be hostile.

Format: protobuf.dev/programming-guides/encoding. A message is a span of a buffer, so that a mapped
file of many gigabytes is walked without reading its weights. The reader is as strict as any encoder
writes: where parsers differ (tags past 32 bits, which protobuf truncates; long varints; groups),
the bytes are refused, so that no parser finds a field that this one did not.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

Buffer = bytes | bytearray | mmap.mmap

# In bytes: of a varint, and of a tag or a length, which have 32 bits.
_LONGEST, _SHORT = 10, 5
_FIRST_GROUP, _LAST_GROUP = 3, 4


class WireError(ValueError):
    """The bytes are not protobuf's wire format, or are written as no encoder writes them."""


class Wire(IntEnum):
    """The wire type of a field: how its value is encoded."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


# Plain numbers, since the loop below compares them for every field of a large model.
_WIRES = {wire.value: wire for wire in Wire}
_VARINT, _BYTES = Wire.VARINT.value, Wire.BYTES.value
_FIXED = {Wire.FIXED32.value: 4, Wire.FIXED64.value: 8}


class Field(NamedTuple):
    """A field of a message: its value is ``buffer[start:end]``.

    ``value`` is that of a varint, as an unsigned integer of 64 bits, and 0 for other wire types.
    """

    number: int
    wire: Wire
    start: int
    end: int
    value: int = 0


def read_fields(buffer: Buffer, start: int = 0, end: int | None = None) -> Iterator[Field]:
    r"""Yield the fields of the message ``buffer[start:end]`` in order; raises WireError.

    >>> [(field.number, field.value) for field in read_fields(b"\x08\x96\x01")]
    [(1, 150)]
    """
    at, end = start, len(buffer) if end is None else end
    while at < end:
        tag, at = _read_varint(buffer, at, end, _SHORT)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 before byte {at}")
        first, value = at, 0
        if wire == _BYTES:
            size, first = _read_varint(buffer, at, end, _SHORT)
            at = first + size
        elif wire == _VARINT:
            value, at = _read_varint(buffer, at, end, _LONGEST)
        elif wire in _FIXED:
            at += _FIXED[wire]
        else:
            group = "a group" if wire in (_FIRST_GROUP, _LAST_GROUP) else f"wire type {wire}"
            raise WireError(f"{group} before byte {at}")
        if at > end:
            raise WireError(f"a field exceeds its message at byte {first}")
        yield Field(number, _WIRES[wire], first, at, value)


def read_varints(buffer: Buffer, field: Field) -> Iterator[int]:
    """Yield the values of a repeated integer field, packed or not; raises WireError."""
    if field.wire is Wire.VARINT:
        yield field.value
    if field.wire is not Wire.BYTES:
        return
    at = field.start
    while at < field.end:
        value, at = _read_varint(buffer, at, field.end, _LONGEST)
        yield value


def _read_varint(buffer: Buffer, at: int, end: int, longest: int) -> tuple[int, int]:
    if at < end and (value := buffer[at]) < 0x80:
        return value, at + 1
    value = 0
    for count in range(longest):
        if at >= end:
            raise WireError(f"a truncated varint at byte {at}")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            bits = 32 if longest == _SHORT else 64
            if value >> bits:
                raise WireError(f"a varint of more than {bits} bits before byte {at}")
            return value, at
    raise WireError(f"a varint of more than {longest} bytes before byte {at}")


def varint(value: int) -> bytes:
    r"""Encode an integer from 0.

    >>> varint(150)
    b'\x96\x01'
    """
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def varint_field(number: int, value: int) -> bytes:
    """Encode an integer field."""
    return varint(number << 3 | Wire.VARINT) + varint(value)


def bytes_head(number: int, size: int) -> bytes:
    """Encode the tag and length of a field of bytes, text or a message, which follow."""
    return varint(number << 3 | Wire.BYTES) + varint(size)


def bytes_field(number: int, data: bytes) -> bytes:
    r"""Encode a field of bytes, text or a message.

    >>> bytes_field(2, b"ab")
    b'\x12\x02ab'
    """
    return bytes_head(number, len(data)) + data
