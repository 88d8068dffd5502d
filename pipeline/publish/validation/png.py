"""The structure of a PNG file: signature, chunks with their sums, and nothing after the last."""

from __future__ import annotations

import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of a chunk: its length, its type and its checksum.
_FRAME = 12


def is_png(data: bytes) -> bool:
    r"""Tell whether these are the bytes of one PNG file, of nothing less or more.

    >>> is_png(b"\x89PNG\r\n\x1a\n")
    False
    """
    if not data.startswith(_SIGNATURE):
        return False
    at, last = len(_SIGNATURE), b""
    while at + _FRAME <= len(data) and last != b"IEND":
        end = at + _FRAME + int.from_bytes(data[at : at + 4])
        if end > len(data):
            return False
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return False
        at, last = end, data[at + 4 : at + 8]
    return last == b"IEND" and at == len(data)
