"""Cases of `compute` and `get_output`."""

from __future__ import annotations

from pipeline.conformance.case import END, At, Call, Case, DataSegment, ExpectBytes, LoadU32, Step
from pipeline.conformance.cases.steps import (
    HANDLE,
    RUNTIME,
    TOO_LARGE,
    UNTOUCHED,
    Y,
    compute,
    output,
    ready,
    refused,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models import TYPES, add, numbers, subtract, two_outputs

_UNKNOWN = 77


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(
            name="compute-bad-context",
            rule="errno 1 for an unknown context",
            steps=[refused("compute", _UNKNOWN)],
        ),
        Case(
            name="compute-without-input",
            rule="errno 1 if an input was not set",
            steps=[*ready(), refused("compute", LoadU32("context"))],
        ),
        Case(
            name="compute-one-of-two-inputs",
            rule="errno 1 if one of two inputs was not set",
            steps=[
                *ready(subtract()),
                *tensor(),
                set_input(1),
                refused("compute", LoadU32("context")),
            ],
        ),
        Case(
            name="output-before-compute",
            rule="errno 5 for an output before compute, and nothing is written",
            steps=[*ready(), *tensor(), set_input(), *_nothing(by=RUNTIME)],
        ),
        Case(
            name="output-after-new-input",
            rule="errno 5 for an output after a new input without compute",
            steps=[
                *ready(),
                *tensor(),
                set_input(),
                compute(),
                *output(Y, label=" of before"),
                *tensor("new", numbers("f32", 1, 1, 1, 1)),
                set_input(label="new"),
                *_nothing(by=RUNTIME),
            ],
        ),
        _computed("output-bad-context", "an unknown context", context=_UNKNOWN),
        _computed("output-index", "an output index that the model does not have", index=3),
        _computed(
            "output-buffer-out-of-bounds", "a buffer that ends outside memory", buffer=At(END, -8)
        ),
        _computed("output-buffer-past-4-gib", "a buffer that ends past 4 GiB", buffer=0xFFFFFFF8),
        _computed(
            "output-buffer-huge",
            "a buffer that starts in memory and ends far outside",
            size=0xFFFFFFF0,
        ),
        _computed(
            "output-written-out-of-bounds",
            "a bytes_written pointer outside memory",
            written=At(END, -2),
        ),
        Case(
            name="output-small-buffer",
            rule="errno 7 and the needed size for a small buffer, which is left unchanged",
            steps=[*_ready_to_read(), *_too_small(8)],
        ),
        Case(
            name="output-size-query",
            rule="errno 7 and the needed size for an empty buffer",
            steps=[*_ready_to_read(), *_too_small(0)],
        ),
        Case(
            name="output-larger-buffer",
            rule="a larger buffer gets the output, and its rest is left unchanged",
            steps=[*_ready_to_read(), *output(Y, room=64)],
        ),
        Case(
            name="output-twice",
            rule="reading an output twice gives the same bytes",
            steps=[*_ready_to_read(), *output(Y), *output(Y, label=" again")],
        ),
        Case(
            name="output-several",
            rule="two outputs are returned by index, in their own types",
            steps=[
                *ready(two_outputs()),
                *tensor(),
                set_input(),
                compute(),
                *output(numbers("i32", 11, 22, 33, 44), 1, label=" 1"),
                *output(Y, 0, label=" 0"),
            ],
        ),
        Case(
            name="output-reread",
            rule="a second inference in a context returns its own output",
            steps=[
                *_ready_to_read(),
                *output(Y),
                *tensor("new", numbers("f32", 1, 2, 3, 4)),
                set_input(label="new"),
                compute(),
                *output(numbers("f32", 2, 4, 6, 8), label=" 2"),
            ],
        ),
        *(_typed(element) for element in TYPES if element != "f32"),
    ]


def _typed(element: str) -> Case:
    return Case(
        name=f"type-{element}",
        rule=f"inputs and outputs of {element} are exact",
        steps=[
            *ready(add(element)),
            *tensor(data=numbers(element, 10, 20, 30, 40), element=element),
            set_input(),
            compute(),
            *output(numbers(element, 11, 22, 33, 44)),
        ],
    )


def _ready_to_read() -> list[Step]:
    return [*ready(), *tensor(), set_input(), compute()]


def _computed(
    name: str,
    what: str,
    *,
    context: int | None = None,
    index: int = 0,
    buffer: int | At | None = None,
    size: int = 16,
    written: At | None = None,
) -> Case:
    """Return a case of a rejected get_output, followed by a valid one."""
    return Case(
        name=name,
        rule=f"errno 1 for {what}, and nothing is written",
        steps=[
            *_ready_to_read(),
            DataSegment("y bad", [UNTOUCHED * 32]),
            DataSegment("written bad", [HANDLE]),
            refused(
                "get_output",
                LoadU32("context") if context is None else context,
                index,
                At("y bad") if buffer is None else buffer,
                *(size, written or At("written bad")),
            ),
            ExpectBytes("y bad", UNTOUCHED * 32, "a refused call wrote into the buffer"),
            ExpectBytes("written bad", HANDLE, "a refused call wrote bytes_written"),
            *output(Y),
        ],
    )


def _nothing(by: int) -> list[Step]:
    return [
        DataSegment("y bad", [UNTOUCHED * 32]),
        DataSegment("written bad", [HANDLE]),
        refused(
            "get_output", *(LoadU32("context"), 0, At("y bad"), 16, At("written bad")), by=(by,)
        ),
        ExpectBytes("y bad", UNTOUCHED * 32, "a refused call wrote into the buffer"),
        ExpectBytes("written bad", HANDLE, "a refused call wrote bytes_written"),
    ]


def _too_small(size: int) -> list[Step]:
    return [
        DataSegment("y small", [UNTOUCHED * 32]),
        DataSegment("written small", [HANDLE]),
        Call(
            "get_output",
            (LoadU32("context"), 0, At("y small"), size, At("written small")),
            (TOO_LARGE,),
            unsafe=(0,),
            needed=True,
        ),
        ExpectBytes("y small", UNTOUCHED * 32, "a buffer that is too small was written"),
        ExpectBytes(
            "written small",
            u32(16),
            "bytes_written is not the needed size",
            unsafe=False,
        ),
    ]
