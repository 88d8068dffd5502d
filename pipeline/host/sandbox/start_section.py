"""A module's start section as an exported function, which the host calls when all is in place.

Until a module is instantiated, the host does not have its memory, but its start section may print
and call wasi-nn. So the section is removed, and its function exported under a name of its own.
The binary format is that of the WebAssembly core specification, section 5.5.
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline.host.sandbox.wasm_binary import HEADER, sections, u32

_EXPORT, _START = 7, 8
# Those that come after the export section.
_LATER = (_START, 9, 10, 11, 12)
_FUNCTION = b"\0"


def has_start_section(wasm: bytes) -> bool:
    """Return whether a module, which may be invalid, has a start section."""
    try:
        return any(number == _START for number, *_ in sections(wasm))
    except (IndexError, ValueError):
        return False


def export_start(wasm: bytes) -> tuple[bytes, str | None]:
    """Return a valid module without its start section, and the name of that function, or None.

    >>> export_start(bytes.fromhex("0061736d 01000000"))[1]
    """
    listed_sections = list(sections(wasm))
    started = [wasm[begin:end] for number, _, begin, end in listed_sections if number == _START]
    if not started:
        return wasm, None
    exports = [wasm[begin:end] for number, _, begin, end in listed_sections if number == _EXPORT]
    count, at = u32(exports[0], 0) if exports else (0, 0)
    listed = exports[0][at:] if exports else b""
    name = _unused(_names(listed, count))
    entry = _text(name) + _FUNCTION + started[0]
    payload = _leb(count + 1) + listed + entry
    export = bytes([_EXPORT]) + _leb(len(payload)) + payload
    made = bytearray(wasm[:HEADER])
    placed = False
    for number, whole, _, end in listed_sections:
        if not placed and (number == _EXPORT or number in _LATER):
            made += export
            placed = True
        if number not in (_EXPORT, _START):
            made += wasm[whole:end]
    return bytes(made if placed else made + export), name


def _names(listed: bytes, count: int) -> Collection[bytes]:
    names = set()
    at = 0
    for _ in range(count):
        length, at = u32(listed, at)
        names.add(listed[at : at + length])
        # After the name come a byte for the kind and an index.
        _, at = u32(listed, at + length + 1)
    return names


def _unused(names: Collection[bytes]) -> str:
    name = "start section"
    while name.encode() in names:
        name += "'"
    return name


def _text(text: str) -> bytes:
    return _leb(len(text.encode())) + text.encode()


def _leb(value: int) -> bytes:
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])
