"""Cases of contexts and `set_input`."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.case import END, At, Case, DataSegment, ExpectBytes, LoadU32, Step, Write
from pipeline.conformance.cases.steps import (
    HANDLE,
    X,
    Y,
    compute,
    context,
    inferred,
    loaded,
    output,
    ready,
    record,
    refused,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models import TYPES, dynamic, numbers, subtract

_F32 = TYPES["f32"][0]
_UNKNOWN = 77
_CONTEXTS = 8


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case(
            name="context-bad-graph",
            rule="errno 1 for a context of an unknown graph",
            steps=[
                DataSegment("context", [HANDLE]),
                refused("init_execution_context", _UNKNOWN, At("context")),
                ExpectBytes("context", HANDLE, "a refused call wrote a handle"),
            ],
        ),
        Case(
            name="context-handle-out-of-bounds",
            rule="errno 1 for a handle pointer that ends outside memory",
            steps=[
                *loaded(),
                refused("init_execution_context", LoadU32("graph"), At(END, -2)),
                *context(),
                ExpectBytes("context", u32(0), "a refused call took a handle", unsafe=False),
            ],
        ),
        Case(
            name="contexts-isolated",
            rule=f"{_CONTEXTS} contexts of one graph keep their own inputs and outputs",
            steps=[
                *loaded(),
                *(
                    step
                    for number in range(_CONTEXTS)
                    for step in (
                        *context(f" {number}", graph=""),
                        *tensor(f"x {number}", numbers("f32", *[100.0 * number] * 4)),
                        set_input(label=f"x {number}", context=f" {number}"),
                    )
                ),
                *(compute(f" {number}") for number in reversed(range(_CONTEXTS))),
                *(
                    step
                    for number in range(_CONTEXTS)
                    for step in output(
                        numbers("f32", *(100.0 * number + each for each in (1, 2, 3, 4))),
                        label=f" {number}",
                        context=f" {number}",
                    )
                ),
            ],
        ),
        Case(
            name="input-bad-context",
            rule="errno 1 for an unknown context",
            steps=[*ready(), *tensor(), refused("set_input", _UNKNOWN, 0, At("x"))],
        ),
        _refused(
            "input-tensor-out-of-bounds", "a tensor that ends outside memory", [], At(END, -8)
        ),
        _record("input-dims-out-of-bounds", "dims that end outside memory", dims=At(END, -4)),
        _record("input-dims-past-4-gib", "dims that end past 4 GiB", dims=u32(0xFFFFFFFC)),
        _record("input-data-out-of-bounds", "data that ends outside memory", data=At(END, -8)),
        _record("input-data-past-4-gib", "data that ends past 4 GiB", data=u32(0xFFFFFFF8)),
        _record("input-rank-huge", "a tensor with a billion axes", rank=1_000_000_000),
        Case(
            name="input-index",
            rule="errno 1 for an input index that the model does not have",
            steps=[*ready(), *tensor(), refused("set_input", LoadU32("context"), 3, At("x"))],
        ),
        _record("input-type-out-of-range", "the element type 9", number=9),
        _record("input-type-255", "the element type 255", number=255),
        _refused(
            "input-type-other",
            "an i32 tensor of the right size for an f32 input",
            tensor(element="i32"),
        ),
        Case(
            name="input-padding",
            rule="the three padding bytes after the type are ignored",
            steps=[
                *ready(),
                *tensor()[:2],
                record("x", _F32, 2, 16, padding=b"\xde\xad\xff"),
                *inferred(),
            ],
        ),
        _refused("input-data-short", "data with fewer bytes than its shape", tensor(data=X[:12])),
        _refused("input-data-long", "data with more bytes than its shape", tensor(data=X + X)),
        _refused("input-data-empty", "empty data", _empty()),
        _refused(
            "input-dims-other",
            "dims that differ from the model's",
            tensor(dims=(1, 3), data=X[:12]),
        ),
        _refused(
            "input-dims-larger", "dims larger than the model's", tensor(data=X * 2, dims=(1, 8))
        ),
        _refused(
            "input-rank-other", "a rank that differs from the model's, with the same bytes", _flat()
        ),
        _refused("input-dim-zero", "a tensor with an axis of size 0", _zero()),
        _refused(
            "input-dims-overflow",
            "dims whose product is 0 in 32 bits",
            [
                DataSegment("x dims", [u32(0x10000, 0x10000)]),
                DataSegment("x data", [X]),
                record("x", _F32, 2, 0),
            ],
        ),
        Case(
            name="input-dynamic",
            rule="a model with a dynamic axis accepts one size, then another",
            steps=[
                *ready(dynamic()),
                *tensor(data=numbers("f32", 1, 2, 3), dims=(3,)),
                set_input(),
                compute(),
                *output(numbers("f32", 2, 3, 4)),
                *tensor("longer", numbers("f32", 1, 2, 3, 4, 5), dims=(5,)),
                set_input(label="longer"),
                compute(),
                *output(numbers("f32", 2, 3, 4, 5, 6), label=" 2"),
            ],
        ),
        Case(
            name="input-copied",
            rule="changes to the guest's buffer after set_input have no effect",
            steps=[
                *ready(),
                *tensor(),
                set_input(),
                Write("x data", bytes(16)),
                compute(),
                *output(Y),
            ],
        ),
        Case(
            name="input-last-wins",
            rule="the last of two tensors for one input is used",
            steps=[
                *ready(),
                *tensor("first", numbers("f32", 7, 7, 7, 7)),
                *tensor(),
                set_input(label="first"),
                *inferred(),
            ],
        ),
        Case(
            name="input-same-tensor",
            rule="a tensor at the same address with other data is read again",
            steps=[
                *ready(),
                *tensor(data=numbers("f32", 7, 7, 7, 7)),
                set_input(),
                compute(),
                Write("x data", X),
                *inferred(),
            ],
        ),
        Case(
            name="input-two",
            rule="two inputs may be set in any order",
            steps=[
                *ready(subtract()),
                *tensor("a", numbers("f32", 5, 6, 7, 8)),
                *tensor("b", numbers("f32", 1, 1, 1, 2)),
                set_input(1, "b"),
                set_input(0, "a"),
                compute(),
                *output(numbers("f32", 4, 5, 6, 6)),
            ],
        ),
    ]


def _refused(name: str, what: str, steps: Sequence[Step], at: At | None = None) -> Case:
    """Return a case with a rejected tensor, followed by a valid one."""
    return Case(
        name=name,
        rule=f"errno 1 for {what}, and the context still works",
        steps=[
            *ready(),
            *steps,
            refused("set_input", LoadU32("context"), 0, at or At("x")),
            *tensor("good"),
            set_input(label="good"),
            compute(),
            *output(Y),
        ],
    )


def _record(
    name: str,
    what: str,
    *,
    number: int = _F32,
    rank: int = 2,
    dims: At | bytes | None = None,
    data: At | bytes | None = None,
) -> Case:
    return _refused(
        name,
        what,
        [*tensor()[:2], record("x", number, rank, 16, dims=dims, data=data)],
    )


def _flat() -> list[Step]:
    return tensor(dims=(4,))


def _empty() -> list[Step]:
    return [DataSegment("x dims", [u32(1, 4)]), DataSegment("x data", [X]), record("x", _F32, 2, 0)]


def _zero() -> list[Step]:
    return [DataSegment("x dims", [u32(1, 0)]), DataSegment("x data", [X]), record("x", _F32, 2, 0)]
