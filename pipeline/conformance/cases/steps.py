"""Steps that many cases share: load a model, set a tensor, read an output."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.conformance.case import (
    ERRORS,
    At,
    Call,
    DataSegment,
    ExpectBytes,
    LoadU32,
    OnSuccess,
    Step,
)
from pipeline.conformance.models.model import TYPES, SuiteModel, numbers

SUCCESS, ARGUMENT, ENCODING, RUNTIME, UNSUPPORTED, TOO_LARGE, NOT_FOUND = 0, 1, 2, 5, 6, 7, 8
ANY = (SUCCESS, *ERRORS)
CPU = 0

# A pattern that no host writes.
UNTOUCHED = b"\xaa"
HANDLE = UNTOUCHED * 4

X = numbers("f32", 10, 20, 30, 40)
Y = numbers("f32", 11, 22, 33, 44)


def u32(*values: int) -> bytes:
    """Return u32s as little-endian bytes; negative numbers wrap."""
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def refused(
    function: str,
    *arguments: int | At | LoadU32,
    advised: Sequence[int] = (ARGUMENT,),
    may_trap: bool = False,
) -> Call:
    """Return a call that must return an error, best one of ``advised``; 0 is unsafe."""
    return Call(function, arguments, ERRORS, (SUCCESS,), advised=tuple(advised), may_trap=may_trap)


def served(function: str, *arguments: int | At | LoadU32) -> Call:
    """Return a call that must succeed, or the case ends."""
    return Call(function, arguments, (SUCCESS,), needed=True)


def maybe(function: str, *arguments: int | At | LoadU32, advised: Sequence[int] = ANY) -> Call:
    """Return a call that may succeed or return an error."""
    return Call(function, arguments, ANY, advised=tuple(advised))


def model(parts: SuiteModel, label: str = "") -> list[Step]:
    """Place the parts of a model (``part 0`` …) and its builder array."""
    segments: list[Step] = [
        DataSegment(f"part {number}{label}", [part or b"\0"])
        for number, part in enumerate(parts.parts)
    ]
    builders: list[bytes | At] = []
    for number, part in enumerate(parts.parts):
        builders += [At(f"part {number}{label}"), u32(len(part))]
    return [*segments, DataSegment(f"builders{label}", builders)]


def loaded(parts: SuiteModel, label: str = "") -> list[Step]:
    """Load a model; its handle is placed at ``graph``."""
    return [*model(parts, label), DataSegment(f"graph{label}", [HANDLE]), load(parts, label)]


def load(parts: SuiteModel, label: str = "") -> Call:
    """Return the call that loads the builders of ``model``."""
    return served(
        "load",
        *(At(f"builders{label}"), len(parts.parts), parts.encoding, CPU, At(f"graph{label}")),
    )


def ready(parts: SuiteModel, label: str = "") -> list[Step]:
    """Load a model and create a context; its handle is placed at ``context``."""
    return [*loaded(parts, label), *context(label)]


def context(label: str = "", graph: str | None = None) -> list[Step]:
    """Create a context of the graph at ``graph``; its handle is placed at ``context``."""
    return [
        DataSegment(f"context{label}", [HANDLE]),
        served(
            "init_execution_context",
            LoadU32(f"graph{label if graph is None else graph}"),
            At(f"context{label}"),
        ),
    ]


def tensor(
    label: str = "x",
    data: bytes = X,
    *,
    element: str = "f32",
    dims: Sequence[int] = (1, 4),
    misalignment: int = 0,
) -> list[Step]:
    """Place a tensor with its dims (``<label> dims``) and data (``<label> data``)."""
    return [
        DataSegment(f"{label} dims", [u32(*dims)], misalignment),
        DataSegment(f"{label} data", [data], misalignment),
        record(label, TYPES[element][0], len(dims), len(data), misalignment=misalignment),
    ]


def record(
    label: str,
    number: int,
    rank: int,
    size: int,
    *,
    dims: At | bytes | None = None,
    data: At | bytes | None = None,
    padding: bytes = b"\0\0\0",
    misalignment: int = 0,
) -> DataSegment:
    """Place the 20-byte struct of a tensor; its dims and data are placed as by ``tensor``."""
    return DataSegment(
        label,
        [
            *(dims or At(f"{label} dims"), u32(rank)),
            *(bytes([number]) + padding, data or At(f"{label} data"), u32(size)),
        ],
        misalignment,
    )


def set_input(index: int = 0, label: str = "x", context: str = "") -> Call:
    """Set an input to a placed tensor."""
    return served("set_input", LoadU32(f"context{context}"), index, At(label))


def compute(context: str = "") -> Call:
    """Run inference."""
    return served("compute", LoadU32(f"context{context}"))


def output(
    expected: bytes, index: int = 0, *, room: int | None = None, label: str = "", context: str = ""
) -> list[Step]:
    """Read an output into a buffer of ``room`` bytes and check everything that was written."""
    size = len(expected) if room is None else room
    tail = size - len(expected)
    return [
        DataSegment(f"y{label}", [UNTOUCHED * (size + 16)]),
        DataSegment(f"written{label}", [HANDLE]),
        served(
            "get_output",
            *(LoadU32(f"context{context}"), index, At(f"y{label}"), size, At(f"written{label}")),
        ),
        ExpectBytes(
            f"written{label}", u32(len(expected)), "bytes_written is not the output's size"
        ),
        ExpectBytes(f"y{label}", expected, "the output is wrong"),
        ExpectBytes(
            f"y{label}",
            UNTOUCHED * (tail + 16),
            "bytes behind the output were written",
            len(expected),
        ),
    ]


def inferred(expected: bytes = Y) -> list[Step]:
    """Set the placed tensor `x`, compute, and read the output of the placed context."""
    return [set_input(), compute(), *output(expected)]


def used_anyway() -> OnSuccess:
    """After a call that should have failed: compute and read, which must not crash or hang."""
    return OnSuccess(
        [
            DataSegment("y anyway", [UNTOUCHED * 64]),
            DataSegment("written anyway", [HANDLE]),
            maybe("compute", LoadU32("context")),
            maybe(
                "get_output",
                *(LoadU32("context"), 0, At("y anyway"), 64, At("written anyway")),
            ),
        ]
    )
