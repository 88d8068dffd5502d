"""The steps that many cases share: a model loaded, a tensor set, an output read."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.verify.conformance.case import At, Call, Holds, Place, Step, Word
from pipeline.verify.conformance.models import TYPES, Model, add, numbers

SUCCESS, ARGUMENT, ENCODING, RUNTIME, UNSUPPORTED, TOO_LARGE, NOT_FOUND = 0, 1, 2, 5, 6, 7, 8
OPENVINO, CPU = 0, 0

# What no host wrote.
UNTOUCHED = b"\xaa"
HANDLE = UNTOUCHED * 4

X = numbers("f32", 10, 20, 30, 40)
Y = numbers("f32", 11, 22, 33, 44)


def u32(*values: int) -> bytes:
    """Return u32s as they lie in memory; a negative one wraps."""
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def refused(function: str, *arguments: int | At | Word, by: Sequence[int] = (ARGUMENT,)) -> Call:
    """Return a call that must be answered with one of these errnos; 0 cannot be right."""
    return Call(function, arguments, tuple(by), unsafe=(SUCCESS,))


def served(function: str, *arguments: int | At | Word) -> Call:
    """Return a call that must succeed, or the case has no more to ask."""
    return Call(function, arguments, (SUCCESS,), needed=True)


def model(parts: Model, label: str = "") -> list[Step]:
    """Place the parts of an IR and its builder array."""
    return [
        Place(f"xml{label}", [parts.xml]),
        Place(f"weights{label}", [parts.weights or b"\0"]),
        Place(
            f"builders{label}",
            [
                *(At(f"xml{label}"), u32(len(parts.xml))),
                *(At(f"weights{label}"), u32(len(parts.weights))),
            ],
        ),
    ]


def loaded(parts: Model | None = None, label: str = "") -> list[Step]:
    """Load an IR, of `add` without one; its handle lies at ``graph``."""
    return [
        *model(parts or add(), label),
        Place(f"graph{label}", [HANDLE]),
        load(label=label),
    ]


def load(label: str = "") -> Call:
    """Return the call that loads the builders of ``model``."""
    return served("load", At(f"builders{label}"), 2, OPENVINO, CPU, At(f"graph{label}"))


def ready(parts: Model | None = None, label: str = "") -> list[Step]:
    """Load an IR and make a context of it; its handle lies at ``context``."""
    return [*loaded(parts, label), *context(label)]


def context(label: str = "", graph: str | None = None) -> list[Step]:
    """Make a context of the graph at ``graph``; its handle lies at ``context``."""
    return [
        Place(f"context{label}", [HANDLE]),
        served(
            "init_execution_context",
            Word(f"graph{label if graph is None else graph}"),
            At(f"context{label}"),
        ),
    ]


def tensor(
    label: str = "x",
    data: bytes = X,
    *,
    element: str = "f32",
    dims: Sequence[int] = (1, 4),
    past: int = 0,
) -> list[Step]:
    """Place a tensor with its dims (``<label> dims``) and data (``<label> data``)."""
    return [
        Place(f"{label} dims", [u32(*dims)], past),
        Place(f"{label} data", [data], past),
        record(label, TYPES[element][0], len(dims), len(data), past=past),
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
    past: int = 0,
) -> Place:
    """Place the 20 bytes of a tensor whose dims and data lie at ``<label> dims`` and so on."""
    return Place(
        label,
        [
            *(dims or At(f"{label} dims"), u32(rank)),
            *(bytes([number]) + padding, data or At(f"{label} data"), u32(size)),
        ],
        past,
    )


def set_input(index: int = 0, label: str = "x", context: str = "") -> Call:
    """Set an input to a tensor that was placed."""
    return served("set_input", Word(f"context{context}"), index, At(label))


def compute(context: str = "") -> Call:
    """Compute."""
    return served("compute", Word(f"context{context}"))


def output(
    expected: bytes, index: int = 0, *, room: int | None = None, label: str = "", context: str = ""
) -> list[Step]:
    """Read an output into ``room`` bytes and look at all that was written."""
    size = len(expected) if room is None else room
    tail = size - len(expected)
    return [
        Place(f"y{label}", [UNTOUCHED * (size + 16)]),
        Place(f"written{label}", [HANDLE]),
        served(
            "get_output",
            *(Word(f"context{context}"), index, At(f"y{label}"), size, At(f"written{label}")),
        ),
        Holds(f"written{label}", u32(len(expected)), "bytes_written is not the output's size"),
        Holds(f"y{label}", expected, "the output is wrong"),
        Holds(
            f"y{label}",
            UNTOUCHED * (tail + 16),
            "bytes behind the output were written",
            len(expected),
        ),
    ]


def inferred(expected: bytes = Y) -> list[Step]:
    """Set the placed tensor `x`, compute, and read the output of the placed context."""
    return [set_input(), compute(), *output(expected)]
