"""A writer of FlatBuffers: each object is placed behind those that refer to it.

Source: FlatBuffers' internals documentation. A table begins with the signed distance to its vtable,
which lists the offset of each field; offsets to other objects are unsigned and count from
themselves.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FlatTable:
    """A table: a value by the slot of its field. A byte is given as bytes of length 1."""

    fields: Mapping[int, int | bytes | FlatTable | Vector | Text | Data]


@dataclass(frozen=True)
class Vector:
    """A vector of i32, or of tables."""

    items: Sequence[int | FlatTable]


@dataclass(frozen=True)
class Text:
    """A string."""

    text: str


@dataclass(frozen=True)
class Data:
    """A vector of bytes that begins at a multiple of 16."""

    data: bytes


def write(root: FlatTable, identifier: bytes) -> bytes:
    """Return a FlatBuffer with this root; ``identifier`` has four bytes."""
    buffer = bytearray(4) + identifier
    waiting: deque[tuple[int, FlatTable | Vector | Text | Data]] = deque([(0, root)])
    while waiting:
        referrer, item = waiting.popleft()
        place, references = _append(buffer, item)
        struct.pack_into("<I", buffer, referrer, place - referrer)
        waiting.extend(references)
    return bytes(buffer)


def _append(
    buffer: bytearray, item: FlatTable | Vector | Text | Data
) -> tuple[int, list[tuple[int, FlatTable | Vector | Text | Data]]]:
    """Append an object; return its place, and the places that wait for the objects in it."""
    if isinstance(item, FlatTable):
        return _append_table(buffer, item)
    _align(buffer, 4)
    if isinstance(item, Data):
        while (len(buffer) + 4) % 16:
            buffer.append(0)
    place = len(buffer)
    if isinstance(item, Text):
        text = item.text.encode()
        buffer += struct.pack("<I", len(text)) + text + b"\0"
        return place, []
    if isinstance(item, Data):
        buffer += struct.pack("<I", len(item.data)) + item.data
        return place, []
    buffer += struct.pack("<I", len(item.items))
    references: list[tuple[int, FlatTable | Vector | Text | Data]] = []
    for each in item.items:
        if isinstance(each, int):
            buffer += struct.pack("<i", each)
        else:
            references.append((len(buffer), each))
            buffer += bytes(4)
    return place, references


def _append_table(
    buffer: bytearray, table: FlatTable
) -> tuple[int, list[tuple[int, FlatTable | Vector | Text | Data]]]:
    slots = max(table.fields, default=-1) + 1
    # Fields of four bytes first, so that each is aligned.
    ordered = sorted(table.fields, key=lambda slot: isinstance(table.fields[slot], bytes))
    offsets, size = {}, 4
    for slot in ordered:
        offsets[slot] = size
        size += 1 if isinstance(table.fields[slot], bytes) else 4
    vtable = struct.pack("<HH", 4 + 2 * slots, size)
    vtable += b"".join(struct.pack("<H", offsets.get(slot, 0)) for slot in range(slots))
    while (len(buffer) + len(vtable)) % 4:
        buffer.append(0)
    buffer += vtable
    place = len(buffer)
    buffer += struct.pack("<i", len(vtable))
    references: list[tuple[int, FlatTable | Vector | Text | Data]] = []
    for slot in ordered:
        value = table.fields[slot]
        if isinstance(value, bytes):
            buffer += value
        elif isinstance(value, int):
            buffer += struct.pack("<I", value)
        else:
            references.append((len(buffer), value))
            buffer += bytes(4)
    return place, references


def _align(buffer: bytearray, to: int) -> None:
    while len(buffer) % to:
        buffer.append(0)
