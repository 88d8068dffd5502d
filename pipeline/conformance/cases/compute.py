"""Cases of `compute` and `get_output`."""

from __future__ import annotations

from pipeline.conformance.case import (
    END,
    ERRORS,
    At,
    Call,
    Case,
    DataSegment,
    ExpectAdvised,
    ExpectBytes,
    LoadU32,
    OnSuccess,
    ReportFailure,
    Step,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    ANY,
    HANDLE,
    RUNTIME,
    SUCCESS,
    TOO_LARGE,
    UNTOUCHED,
    Y,
    compute,
    inferred,
    output,
    ready,
    refused,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models.model import ModelFormat, SuiteModel, numbers

_UNKNOWN = 77


def cases(form: ModelFormat) -> list[Case]:
    """Return the cases."""
    add = form.add("f32")
    return [
        Case(
            name="compute-bad-context",
            rule="an unknown context beside a known one is an error",
            basis=basis.UNKNOWN_HANDLE,
            steps=[*ready(add), *tensor(), refused("compute", _UNKNOWN), *inferred()],
        ),
        Case(
            name="compute-without-input",
            rule="compute is an error if an input was not set",
            basis=basis.UNSET,
            steps=[*ready(add), refused("compute", LoadU32("context"))],
        ),
        *(
            Case(
                name=name,
                rule=f"compute is an error if only the {which} of two inputs was set",
                basis=basis.UNSET,
                steps=[
                    *ready(form.subtract()),
                    *tensor(),
                    set_input(index),
                    refused("compute", LoadU32("context")),
                ],
            )
            for name, which, index in (
                ("compute-without-first-input", "second", 1),
                ("compute-without-second-input", "first", 0),
            )
        ),
        Case(
            name="output-before-compute",
            rule="an output before compute is an error, and nothing is written",
            basis=basis.NOT_RUN,
            steps=[*ready(add), *tensor(), set_input(), *_nothing()],
        ),
        Case(
            name="output-bytes-before-compute",
            rule="whatever get_output returns before compute, its bytes are the guest's or zero",
            basis=basis.FOREIGN,
            steps=[
                *ready(add),
                DataSegment("y", [bytes(32)]),
                DataSegment("written", [HANDLE]),
                Call(
                    "get_output",
                    (LoadU32("context"), 0, At("y"), 16, At("written")),
                    ANY,
                    advised=ERRORS,
                ),
                ExpectBytes("y", bytes(32), "bytes of the host's memory were written"),
            ],
        ),
        Case(
            name="output-after-new-input",
            rule="an output after a new input without compute is an error",
            basis=basis.OLD_OUTPUT,
            steps=[
                *ready(add),
                *tensor(),
                *inferred(),
                *tensor("new", numbers("f32", 1, 1, 1, 1)),
                set_input(label="new"),
                DataSegment("y old", [UNTOUCHED * 16]),
                DataSegment("written old", [HANDLE]),
                Call(
                    "get_output",
                    (LoadU32("context"), 0, At("y old"), 16, At("written old")),
                    ANY,
                    advised=(RUNTIME,),
                ),
                OnSuccess(
                    [
                        ExpectBytes("y old", Y, "bytes that are not the old output are returned"),
                        ReportFailure("the output of before is returned"),
                    ]
                ),
            ],
        ),
        _computed(add, "output-bad-context", "an unknown context", context=_UNKNOWN),
        _computed(add, "output-index", "an output that the model does not have", index=3),
        _computed(
            add,
            "output-buffer-out-of-bounds",
            "a buffer that ends outside memory",
            buffer=At(END, -8),
        ),
        _computed(
            add, "output-buffer-past-4-gib", "a buffer that ends past 4 GiB", buffer=0xFFFFFFF8
        ),
        _computed(
            add,
            "output-buffer-huge",
            "a buffer that starts in memory and ends far outside",
            size=0xFFFFFFF0,
        ),
        _computed(
            add,
            "output-written-out-of-bounds",
            "a bytes_written pointer outside memory",
            written=At(END, -2),
        ),
        Case(
            name="output-small-buffer",
            rule="a buffer that is too small is an error, and left unchanged",
            basis=basis.SMALL,
            steps=[*_ready_to_read(add), *_too_small(8)],
        ),
        Case(
            name="output-size-query",
            rule="an empty buffer is an error, and bytes_written is the needed size",
            basis=basis.NEEDED_SIZE,
            steps=[
                *_ready_to_read(add),
                *_too_small(0),
                ExpectAdvised("written small", u32(16), "bytes_written is not the needed size, 16"),
            ],
        ),
        Case(
            name="output-larger-buffer",
            rule="a larger buffer gets the output, and its rest is left unchanged",
            basis=basis.WRITTEN,
            steps=[*_ready_to_read(add), *output(Y, room=64)],
        ),
        Case(
            name="output-twice",
            rule="reading an output twice gives the same bytes",
            basis=basis.WRITTEN,
            steps=[*_ready_to_read(add), *output(Y), *output(Y, label=" again")],
        ),
        Case(
            name="output-several",
            rule="two outputs are returned by index, in their own types",
            basis=basis.WRITTEN,
            steps=[
                *ready(form.two_outputs()),
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
            basis=basis.INPUTS,
            steps=[
                *_ready_to_read(add),
                *output(Y),
                *tensor("new", numbers("f32", 1, 2, 3, 4)),
                set_input(label="new"),
                compute(),
                *output(numbers("f32", 2, 4, 6, 8), label=" 2"),
            ],
        ),
        *(_typed(form, element) for element in form.types),
    ]


def _typed(form: ModelFormat, element: str) -> Case:
    return Case(
        name=f"type-{element}",
        rule=f"inputs and outputs of {element} are exact",
        basis=basis.TYPE,
        steps=[
            *ready(form.add(element)),
            *tensor(data=numbers(element, 10, 20, 30, 40), element=element),
            set_input(),
            compute(),
            *output(numbers(element, 11, 22, 33, 44)),
        ],
    )


def _ready_to_read(add: SuiteModel) -> list[Step]:
    return [*ready(add), *tensor(), set_input(), compute()]


def _computed(
    add: SuiteModel,
    name: str,
    what: str,
    *,
    context: int | None = None,
    index: int = 0,
    buffer: int | At | None = None,
    size: int = 16,
    written: At | None = None,
) -> Case:
    """Return a case of a refused get_output, followed by a valid one."""
    pointer = buffer is not None or size != 16 or written is not None
    handle = basis.UNKNOWN_HANDLE if context is not None else basis.INDEX
    return Case(
        name=name,
        rule=f"{what} {'traps or ' if pointer else ''}is an error, and nothing is written",
        basis=basis.POINTER if pointer else handle,
        steps=[
            *_ready_to_read(add),
            DataSegment("y bad", [UNTOUCHED * 32]),
            DataSegment("written bad", [HANDLE]),
            refused(
                "get_output",
                LoadU32("context") if context is None else context,
                index,
                At("y bad") if buffer is None else buffer,
                *(size, written or At("written bad")),
                may_trap=pointer,
            ),
            *_unwritten("bad"),
            *output(Y),
        ],
    )


def _nothing() -> list[Step]:
    return [
        DataSegment("y bad", [UNTOUCHED * 32]),
        DataSegment("written bad", [HANDLE]),
        refused(
            "get_output",
            *(LoadU32("context"), 0, At("y bad"), 16, At("written bad")),
            advised=(RUNTIME,),
        ),
        *_unwritten("bad"),
    ]


def _unwritten(label: str) -> list[Step]:
    return [
        ExpectBytes(f"y {label}", UNTOUCHED * 32, "a refused call wrote into the buffer"),
        ExpectBytes(f"written {label}", HANDLE, "a refused call wrote bytes_written"),
    ]


def _too_small(size: int) -> list[Step]:
    return [
        DataSegment("y small", [UNTOUCHED * 32]),
        DataSegment("written small", [HANDLE]),
        Call(
            "get_output",
            (LoadU32("context"), 0, At("y small"), size, At("written small")),
            ERRORS,
            unsafe=(SUCCESS,),
            advised=(TOO_LARGE,),
            needed=True,
        ),
        ExpectBytes("y small", UNTOUCHED * 32, "a buffer that is too small was written"),
    ]
