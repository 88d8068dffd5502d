"""A guest's memory, of which nothing is believed: every access is checked before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.host.abi import Errno, Refusal

_MASK = 0xFFFFFFFF
MAX_RANK = 16


@dataclass(frozen=True)
class GuestMemory:
    """The memory of one instance, little-endian, addressed by unsigned 32-bit pointers.

    A pointer arrives from wasmtime as a signed number; wasmtime's own read truncates silently
    past the end, and its write wraps to the end for a negative start.
    """

    memory: Any
    store: Any

    def check(self, pointer: int, length: int, what: str) -> int:
        """Return the pointer as unsigned; Refusal (1) unless all ``length`` bytes are there."""
        pointer, length = pointer & _MASK, length & _MASK
        size = self.memory.data_len(self.store)
        if pointer + length > size:
            raise Refusal(
                Errno.INVALID_ARGUMENT,
                f"{what} lies outside of the guest's memory: {length} bytes at {pointer} of {size}",
            )
        return pointer

    def read(self, pointer: int, length: int, what: str) -> bytearray:
        """Return a copy of ``length`` bytes."""
        start = self.check(pointer, length, what)
        data: bytearray = self.memory.read(self.store, start, start + (length & _MASK))
        return data

    def u32s(self, pointer: int, count: int, what: str) -> tuple[int, ...]:
        """Return ``count`` unsigned 32-bit numbers; they need not be aligned."""
        data = self.read(pointer, 4 * count, what)
        return tuple(int.from_bytes(data[at : at + 4], "little") for at in range(0, 4 * count, 4))

    def write(self, pointer: int, data: Any, what: str) -> None:
        """Write bytes."""
        start = self.check(pointer, len(data), what)
        self.memory.write(self.store, data, start)

    def write_u32(self, pointer: int, value: int, what: str) -> None:
        """Write one unsigned 32-bit number."""
        self.write(pointer, value.to_bytes(4, "little"), what)

    def builders(self, pointer: int, count: int) -> list[bytearray]:
        """Return copies of the parts of a graph: pairs of pointer and length."""
        count &= _MASK
        # The largest array that fits is bounded by the memory itself.
        self.check(pointer, min(8 * count, _MASK), "the builder array")
        pairs = self.u32s(pointer, 2 * count, "the builder array")
        spans = list(zip(pairs[::2], pairs[1::2], strict=True))
        for number, (start, length) in enumerate(spans):
            self.check(start, length, f"builder {number}")
        return [self.read(start, length, "a builder") for start, length in spans]

    def text(self, pointer: int, length: int, what: str) -> str:
        """Return UTF-8 text; Refusal (1) when it is not."""
        try:
            return self.read(pointer, length, what).decode()
        except UnicodeDecodeError:
            raise Refusal(Errno.INVALID_ARGUMENT, f"{what} is not UTF-8") from None

    def tensor(self, pointer: int) -> tuple[tuple[int, ...], int, bytearray]:
        """Return the dims, the number of the element type and a copy of the data of a tensor.

        Its 20 bytes are dims pointer and length, type (one byte; the three after it are padding
        and hold anything), data pointer and length.
        """
        head = self.read(pointer, 20, "the tensor")
        dims_at, rank, _, data_at, size = (
            int.from_bytes(head[at : at + 4], "little") for at in range(0, 20, 4)
        )
        if rank > MAX_RANK:
            raise Refusal(
                Errno.INVALID_ARGUMENT, f"the tensor has {rank} dims, more than {MAX_RANK}"
            )
        dims = self.u32s(dims_at, rank, "the dims of the tensor")
        return dims, head[8], self.read(data_at, size, "the data of the tensor")
