"""Assemble the second module of a case: an instance beside the guest, with its own memory.

It imports wasi-nn alone. Its function ``run`` makes the calls and returns 0, or the number of the
step that went wrong, counted from 1.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.conformance.case import At, Call, DataSegment, ExpectBytes, LoadU32, Step
from pipeline.host.abi.enums import FUNCTIONS, MODULE

# The name that the guest imports it from.
NAME = "second"
_FIRST = 64


def assemble_second(steps: Sequence[Step]) -> str:
    """Return the module as WebAssembly text; steps are segments, calls and checks."""
    places: dict[str, int] = {}
    free = _FIRST
    for step in steps:
        if isinstance(step, DataSegment):
            free = -(-free // 16) * 16 + step.misalignment
            places[step.label] = free
            free += sum(4 if isinstance(part, At) else len(part) for part in step.parts)

    def argument(value: int | At | LoadU32) -> str:
        if isinstance(value, int):
            return f"(i32.const {value})"
        address = f"(i32.const {places[value.label] + value.offset})"
        return address if isinstance(value, At) else f"(i32.load {address})"

    segments, body = [], []
    for number, step in enumerate(steps, start=1):
        wrong = f"(then (return (i32.const {number})))"
        match step:
            case DataSegment(label, parts):
                data = b"".join(
                    struct.pack("<I", places[part.label] + part.offset)
                    if isinstance(part, At)
                    else part
                    for part in parts
                )
                text = "".join(f"\\{byte:02x}" for byte in data)
                segments.append(f'  (data (i32.const {places[label]}) "{text}")')
            case Call(function, arguments):
                called = f"(call ${function} {' '.join(map(argument, arguments))})"
                body.append(f"(if {called} {wrong})")
            case ExpectBytes(label, expected, _, offset):
                for at in range(0, len(expected), 4):
                    value = int.from_bytes(expected[at : at + 4], "little")
                    loaded = f"(i32.load (i32.const {places[label] + offset + at}))"
                    body.append(f"(if (i32.ne {loaded} (i32.const {value})) {wrong})")
    used = sorted({step.function for step in steps if isinstance(step, Call)})
    return "\n".join(
        [
            "(module",
            *(
                f'  (import "{MODULE}" "{name}"'
                f" (func ${name} (param{' i32' * len(FUNCTIONS[name])}) (result i32)))"
                for name in used
            ),
            f'  (memory (export "memory") {-(-free // 65536)})',
            *segments,
            '  (func (export "run") (result i32)',
            *(f"    {line}" for line in body),
            "    (i32.const 0)))",
        ]
    )
