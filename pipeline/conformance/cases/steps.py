"""Steps that many cases share: load a model, set a tensor, read an output."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.conformance.case import At, Call, DataSegment, ExpectBytes, LoadU32, Step
from pipeline.conformance.models import TYPES, SuiteModel, add, numbers

SUCCESS, ARGUMENT, ENCODING, RUNTIME, UNSUPPORTED, TOO_LARGE, NOT_FOUND = 0, 1, 2, 5, 6, 7, 8
OPENVINO, CPU = 0, 0

# A pattern that no host writes.
UNTOUCHED = b"\xaa"
HANDLE = UNTOUCHED * 4

X = numbers("f32", 10, 20, 30, 40)
Y = numbers("f32", 11, 22, 33, 44)


def u32(*values: int) -> bytes:
    """Return u32s as little-endian bytes; negative numbers wrap."""
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def refused(function: str, *arguments: int | At | LoadU32, by: Sequence[int] = (ARGUMENT,)) -> Call:
    """Return a call that must return one of these errnos; 0 is unsafe."""
    return Call(function, arguments, tuple(by), unsafe=(SUCCESS,))


def served(function: str, *arguments: int | At | LoadU32) -> Call:
    """Return a call that must succeed, or the case ends."""
    return Call(function, arguments, (SUCCESS,), needed=True)


def model(parts: SuiteModel, label: str = "") -> list[Step]:
    """Place the parts of an IR and its builder array."""
    return [
        DataSegment(f"xml{label}", [parts.xml]),
        DataSegment(f"weights{label}", [parts.weights or b"\0"]),
        DataSegment(
            f"builders{label}",
            [
                *(At(f"xml{label}"), u32(len(parts.xml))),
                *(At(f"weights{label}"), u32(len(parts.weights))),
            ],
        ),
    ]


def loaded(parts: SuiteModel | None = None, label: str = "") -> list[Step]:
    """Load an IR (default: `add`); its handle is placed at ``graph``."""
    return [
        *model(parts or add(), label),
        DataSegment(f"graph{label}", [HANDLE]),
        load(label=label),
    ]


def load(label: str = "") -> Call:
    """Return the call that loads the builders of ``model``."""
    return served("load", At(f"builders{label}"), 2, OPENVINO, CPU, At(f"graph{label}"))


def ready(parts: SuiteModel | None = None, label: str = "") -> list[Step]:
    """Load an IR and create a context; its handle is placed at ``context``."""
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
