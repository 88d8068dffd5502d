"""Bounds-checked access to a guest's linear memory."""

from __future__ import annotations

import struct
from typing import Protocol

from pipeline.host.abi.enums import WasiNnError, refuse_argument


class Memory(Protocol):
    """Linear memory, as it is until the guest runs again."""

    def data(self) -> memoryview:
        """Return a view of all bytes, valid only during the call."""
        ...


def check(memory: Memory, what: str, pointer: int, length: int) -> None:
    """Raise WasiNnError (errno 1) if ``length`` bytes at ``pointer`` exceed the memory.

    Both are unsigned; zero bytes are allowed at the very end.
    """
    size = len(memory.data())
    if pointer + length > size:
        raise _out_of_bounds(what, pointer, length, size)


def read(memory: Memory, what: str, pointer: int, length: int) -> bytearray:
    """Return a copy of ``length`` bytes at ``pointer``; raises WasiNnError (errno 1)."""
    return bytearray(view(memory, what, pointer, length))


def view(memory: Memory, what: str, pointer: int, length: int) -> memoryview:
    """Return a view of ``length`` bytes at ``pointer`` until the guest runs; raises WasiNnError."""
    data = memory.data()
    end = pointer + length
    # Python would silently truncate a slice beyond the end.
    if end > len(data):
        raise _out_of_bounds(what, pointer, length, len(data))
    return data[pointer:end]


def read_u32s(memory: Memory, what: str, pointer: int, count: int) -> tuple[int, ...]:
    """Return ``count`` little-endian u32s at ``pointer``; raises WasiNnError (errno 1)."""
    return struct.unpack(f"<{count}I", view(memory, what, pointer, 4 * count))


def write(memory: Memory, what: str, pointer: int, data: memoryview | bytes) -> None:
    """Write ``data``, one-dimensional bytes, at ``pointer``; raises WasiNnError (errno 1)."""
    view(memory, what, pointer, len(data))[:] = data


def write_u32(memory: Memory, what: str, pointer: int, value: int) -> None:
    """Write a little-endian u32 at ``pointer``; raises WasiNnError (errno 1)."""
    view(memory, what, pointer, 4)[:] = value.to_bytes(4, "little")


def _out_of_bounds(what: str, pointer: int, length: int, size: int) -> WasiNnError:
    return refuse_argument(
        f"{what} is outside the guest's memory: {length} bytes at {pointer:#x}, "
        f"memory ends at {size:#x}"
    )
