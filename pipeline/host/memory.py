"""A guest's linear memory: every access checked against its bounds, as they are now."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Protocol

from pipeline.host.abi import Refusal, refuse_argument

if TYPE_CHECKING:
    import wasmtime

_ADDRESSES = 1 << 32


class Memory(Protocol):
    """Linear memory: where it lies on the host and how many bytes it has, until the guest runs."""

    def region(self) -> tuple[int, int]:
        """Return the host's address of byte 0, and the number of bytes."""
        ...


class InstanceMemory:
    """The exported memory of the instance that called, for the time of that one call."""

    def __init__(self, store: wasmtime.Caller, memory: wasmtime.Memory) -> None:
        self._store = store
        self._memory = memory
        self._region: tuple[int, int] | None = None

    def region(self) -> tuple[int, int]:
        """Return address and size; the guest may change both, but not during the call."""
        if self._region is None:
            pointer = self._memory.data_ptr(self._store)
            address = ctypes.cast(pointer, ctypes.c_void_p).value or 0
            self._region = address, self._memory.data_len(self._store)
        return self._region


def check(memory: Memory, what: str, pointer: int, length: int) -> int:
    """Return the host's address of ``length`` bytes at ``pointer``, both unsigned.

    Raises Refusal (errno 1) when any of them lies outside the memory; no bytes at all may lie at
    its very end.
    """
    address, size = memory.region()
    if pointer + length > size:
        raise _out_of_bounds(what, pointer, length, size)
    return address + pointer


def read(memory: Memory, what: str, pointer: int, length: int) -> bytearray:
    """Return a copy of ``length`` bytes at ``pointer``; raises Refusal (errno 1)."""
    address = check(memory, what, pointer, length)
    if length == 0:
        return bytearray()
    return bytearray((ctypes.c_ubyte * length).from_address(address))


def view(memory: Memory, what: str, pointer: int, length: int) -> memoryview:
    """Return ``length`` bytes at ``pointer`` in place, until the guest runs; raises Refusal."""
    address = check(memory, what, pointer, length)
    return memoryview((ctypes.c_ubyte * length).from_address(address)).cast("B")


def read_u32s(memory: Memory, what: str, pointer: int, count: int) -> tuple[int, ...]:
    """Return ``count`` little-endian u32s at ``pointer``; raises Refusal (errno 1)."""
    return struct.unpack(f"<{count}I", read(memory, what, pointer, 4 * count))


def write(memory: Memory, what: str, pointer: int, data: memoryview | bytes) -> None:
    """Write ``data``, one-dimensional bytes, at ``pointer``; raises Refusal (errno 1)."""
    address = check(memory, what, pointer, len(data))
    if len(data):
        target = (ctypes.c_ubyte * len(data)).from_address(address)
        memoryview(target).cast("B")[:] = data


def write_u32(memory: Memory, what: str, pointer: int, value: int) -> None:
    """Write a little-endian u32 at ``pointer``; raises Refusal (errno 1)."""
    write(memory, what, pointer, struct.pack("<I", value))


def unsigned(value: int) -> int:
    """Return the u32 that a guest meant by an i32, which arrives signed.

    >>> hex(unsigned(-16))
    '0xfffffff0'
    """
    return value & (_ADDRESSES - 1)


def _out_of_bounds(what: str, pointer: int, length: int, size: int) -> Refusal:
    return refuse_argument(
        f"{what} is outside the guest's memory: {length} bytes at {pointer:#x}, "
        f"where the memory ends at {size:#x}"
    )
