"""The binary format of modules and components, as far as both share it: sections and numbers.

Source: the WebAssembly core specification, chapter 5, and the component model's Binary.md.
"""

from __future__ import annotations

from collections.abc import Iterator

HEADER = 8


def sections(wasm: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each section's number, its beginning, that of its contents, and its end.

    Raises IndexError and ValueError for bytes that are no sections.
    """
    at = HEADER
    while at < len(wasm):
        length, begin = u32(wasm, at + 1)
        yield wasm[at], at, begin, begin + length
        at = begin + length


def u32(data: bytes, at: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number, and the position after it; raises as ``sections``."""
    value = 0
    for shift in range(0, 35, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of more than 32 bits")


def text(data: bytes, at: int) -> tuple[str, int]:
    """Return a name, and the position after it; raises as ``sections``."""
    length, at = u32(data, at)
    if at + length > len(data):
        raise ValueError("a name beyond the end")
    return data[at : at + length].decode(), at + length
