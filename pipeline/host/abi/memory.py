"""Bounds-checked access to a guest's linear memory, given as a view of all its bytes."""

from __future__ import annotations

import struct
from typing import Protocol

from pipeline.host.session.error import WasiNnError, refuse_argument


class Memory(Protocol):
    """Linear memory, as it is until the guest runs again."""

    def data(self) -> memoryview:
        """Return a view of all bytes, valid only during the call."""
        ...


def check(whole: memoryview, what: str, pointer: int, length: int) -> None:
    """Raise WasiNnError (invalid argument) if ``length`` bytes at ``pointer`` exceed the memory.

    Both are unsigned; zero bytes are allowed at the very end.
    """
    if pointer + length > len(whole):
        raise _out_of_bounds(what, pointer, length, len(whole))


def view(whole: memoryview, what: str, pointer: int, length: int) -> memoryview:
    """Return a view of ``length`` bytes at ``pointer`` until the guest runs; raises WasiNnError."""
    end = pointer + length
    # Python would silently truncate a slice beyond the end.
    if end > len(whole):
        raise _out_of_bounds(what, pointer, length, len(whole))
    return whole[pointer:end]


def read(whole: memoryview, what: str, pointer: int, length: int) -> bytes:
    """Return a copy of ``length`` bytes at ``pointer``; raises WasiNnError (invalid argument)."""
    return bytes(view(whole, what, pointer, length))


def read_u32s(whole: memoryview, what: str, pointer: int, count: int) -> tuple[int, ...]:
    """Return ``count`` little-endian u32s at ``pointer``; raises WasiNnError (invalid argument)."""
    return struct.unpack(f"<{count}I", view(whole, what, pointer, 4 * count))


def write(whole: memoryview, what: str, pointer: int, data: memoryview | bytes) -> None:
    """Write ``data``, one-dimensional bytes, at ``pointer``; raises WasiNnError."""
    view(whole, what, pointer, len(data))[:] = data


def write_u32(whole: memoryview, what: str, pointer: int, value: int) -> None:
    """Write a little-endian u32 at ``pointer``; raises WasiNnError (invalid argument)."""
    view(whole, what, pointer, 4)[:] = value.to_bytes(4, "little")


def _out_of_bounds(what: str, pointer: int, length: int, size: int) -> WasiNnError:
    return refuse_argument(
        f"{what} is outside the guest's memory: {length} bytes at {pointer:#x}, "
        f"memory ends at {size:#x}"
    )
