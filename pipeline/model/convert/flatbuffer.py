"""Read tables of a FlatBuffer without a schema, from bytes that may be hostile.

Format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

Buffer = bytes | bytearray
_MOST_ENTRIES = 1 << 20


class FlatBufferError(ValueError):
    """The bytes are not a FlatBuffer."""


def read_number(data: Buffer, at: int, form: str) -> int:
    """Return the little-endian integer of a struct format at a position."""
    if at < 0:
        raise FlatBufferError(f"a position of {at}")
    try:
        found: int = struct.unpack_from(f"<{form}", data, at)[0]
    except struct.error as error:
        raise FlatBufferError(str(error)) from None
    return found


def read_offset(data: Buffer, at: int) -> int:
    """Return the position that the offset at ``at`` leads to."""
    return at + read_number(data, at, "I")


def read_field(data: Buffer, table: int, index: int) -> int | None:
    """Return the position of a table's field, or None if the table leaves it out."""
    entries = table - read_number(data, table, "i")
    slot = 4 + 2 * index
    if slot >= read_number(data, entries, "H"):
        return None
    offset = read_number(data, entries + slot, "H")
    return table + offset if offset else None


def read_vector(data: Buffer, table: int, index: int) -> Sequence[int]:
    """Return the positions of a vector's elements of four bytes; a table may leave it out."""
    field = read_field(data, table, index)
    if field is None:
        return ()
    start = read_offset(data, field)
    count = read_number(data, start, "I")
    if count > _MOST_ENTRIES:
        raise FlatBufferError(f"a vector of {count} elements")
    return range(start + 4, start + 4 + 4 * count, 4)


def read_text(data: Buffer, table: int, index: int) -> str:
    """Return a field's text, '' if the table leaves it out."""
    field = read_field(data, table, index)
    if field is None:
        return ""
    start = read_offset(data, field)
    size = read_number(data, start, "I")
    return bytes(data[start + 4 : start + 4 + size]).decode(errors="replace")
