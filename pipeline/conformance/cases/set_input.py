"""Cases of contexts and `set_input`."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.case import (
    END,
    At,
    Basis,
    Case,
    DataSegment,
    ExpectBytes,
    LoadU32,
    Step,
    Write,
)
from pipeline.conformance.cases import basis
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
    used_anyway,
)
from pipeline.conformance.models.model import TYPES, ModelFormat, numbers

_F32 = TYPES["f32"][0]
_UNKNOWN = 77
_CONTEXTS = 8
_END_4, _END_8 = At(END, -4), At(END, -8)


def cases(form: ModelFormat) -> list[Case]:
    """Return the cases."""
    add = form.add("f32")
    return [
        Case(
            name="context-bad-graph",
            rule="a context of an unknown graph beside a loaded one is an error",
            basis=basis.UNKNOWN_HANDLE,
            steps=[
                *loaded(add),
                DataSegment("bad", [HANDLE]),
                refused("init_execution_context", _UNKNOWN, At("bad")),
                ExpectBytes("bad", HANDLE, "a refused call wrote a handle"),
                *context(),
            ],
        ),
        Case(
            name="context-handle-out-of-bounds",
            rule="a handle pointer that ends outside memory traps or is an error",
            basis=basis.POINTER,
            steps=[
                *loaded(add),
                refused("init_execution_context", LoadU32("graph"), At(END, -2), may_trap=True),
                *context(),
            ],
        ),
        Case(
            name="contexts-isolated",
            rule="two contexts of one graph keep their own inputs and outputs",
            basis=basis.ISOLATED,
            steps=_contexts(form, 2),
        ),
        Case(
            name="limit-contexts",
            rule=f"a graph may have {_CONTEXTS} contexts",
            basis=basis.choice(
                "No text has a number. A server gives each request a context of its own."
            ),
            steps=_contexts(form, _CONTEXTS),
        ),
        Case(
            name="input-bad-context",
            rule="an unknown context beside a known one is an error",
            basis=basis.UNKNOWN_HANDLE,
            steps=[
                *ready(add),
                *tensor(),
                refused("set_input", _UNKNOWN, 0, At("x")),
                *inferred(),
            ],
        ),
        _refused(
            form, "input-tensor-out-of-bounds", "a tensor that ends outside memory", [], _END_8
        ),
        _pointer(form, "input-dims-out-of-bounds", "dims that end outside memory", dims=_END_4),
        _pointer(form, "input-dims-past-4-gib", "dims that end past 4 GiB", dims=u32(0xFFFFFFFC)),
        _pointer(form, "input-data-out-of-bounds", "data that ends outside memory", data=_END_8),
        _pointer(form, "input-data-past-4-gib", "data that ends past 4 GiB", data=u32(0xFFFFFFF8)),
        _pointer(form, "input-rank-huge", "a tensor with a billion axes", rank=1_000_000_000),
        Case(
            name="input-dims-at-end",
            rule="dims in the last bytes of memory are read",
            basis=basis.TENSOR,
            steps=[
                *ready(add),
                Write(END, u32(1, 4), -8),
                DataSegment("x data", [X]),
                record("x", _F32, 2, 16, dims=_END_8),
                *inferred(),
            ],
        ),
        Case(
            name="input-index",
            rule="an input that the model does not have is an error",
            basis=basis.INDEX,
            steps=[
                *ready(add),
                *tensor(),
                refused("set_input", LoadU32("context"), 3, At("x")),
                *inferred(),
            ],
        ),
        _number(form, "input-type-out-of-range", "the element type 9", 9),
        _number(form, "input-type-255", "the element type 255", 255),
        _refused(
            form,
            "input-type-other",
            "an i32 tensor of the right size for an f32 input",
            tensor(element="i32"),
            stands_on=basis.MATCH,
        ),
        Case(
            name="input-padding",
            rule="the three padding bytes after the type are ignored",
            basis=basis.TENSOR,
            steps=[
                *ready(add),
                *tensor()[:2],
                record("x", _F32, 2, 16, padding=b"\xde\xad\xff"),
                *inferred(),
            ],
        ),
        _refused(
            form,
            "input-data-short",
            "data with fewer bytes than its shape",
            tensor(data=X[:12]),
            stands_on=basis.LENGTH,
        ),
        _refused(
            form,
            "input-data-long",
            "data with more bytes than its shape",
            tensor(data=X + X),
            stands_on=basis.LENGTH,
        ),
        _refused(form, "input-data-empty", "empty data", _sized(4), stands_on=basis.LENGTH),
        _short_at_end(form),
        _large_and_empty(form),
        _refused(
            form,
            "input-dims-other",
            "dims that differ from the model's",
            tensor(dims=(1, 3), data=X[:12]),
            stands_on=basis.MATCH,
        ),
        _refused(
            form,
            "input-dims-larger",
            "dims larger than the model's",
            tensor(data=X * 2, dims=(1, 8)),
            stands_on=basis.MATCH,
        ),
        _refused(
            form,
            "input-rank-other",
            "a rank that differs from the model's, with the same bytes",
            tensor(dims=(4,)),
            stands_on=basis.MATCH,
        ),
        _refused(
            form,
            "input-dim-zero",
            "a static axis of size 0",
            _sized(0),
            stands_on=basis.MATCH,
        ),
        _refused(
            form,
            "input-dims-overflow",
            "dims whose product is 0 in 32 bits",
            [
                DataSegment("x dims", [u32(0x10000, 0x10000)]),
                DataSegment("x data", [X]),
                record("x", _F32, 2, 0),
            ],
            stands_on=basis.LENGTH,
        ),
        Case(
            name="input-dynamic",
            rule="a model with a dynamic axis accepts one size, then another",
            basis=basis.DYNAMIC,
            steps=[
                *ready(form.dynamic()),
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
            basis=basis.COPIED,
            steps=[
                *ready(add),
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
            basis=basis.INPUTS,
            steps=[
                *ready(add),
                *tensor("first", numbers("f32", 7, 7, 7, 7)),
                *tensor(),
                set_input(label="first"),
                *inferred(),
            ],
        ),
        Case(
            name="input-same-tensor",
            rule="a tensor at the same address with other data is read again",
            basis=basis.INPUTS,
            steps=[
                *ready(add),
                *tensor(data=numbers("f32", 7, 7, 7, 7)),
                set_input(),
                compute(),
                Write("x data", X),
                *inferred(),
            ],
        ),
        _two_inputs(form, "input-two", "two inputs are kept, set in the order of the model", 0),
        _two_inputs(form, "input-two-reversed", "two inputs are kept, set in reverse order", 1),
    ]


def _contexts(form: ModelFormat, count: int) -> list[Step]:
    return [
        *loaded(form.add("f32")),
        *(
            step
            for number in range(count)
            for step in (
                *context(f" {number}", graph=""),
                *tensor(f"x {number}", numbers("f32", *[100.0 * number] * 4)),
                set_input(label=f"x {number}", context=f" {number}"),
            )
        ),
        *(compute(f" {number}") for number in reversed(range(count))),
        *(
            step
            for number in range(count)
            for step in output(
                numbers("f32", *(100.0 * number + each for each in (1, 2, 3, 4))),
                label=f" {number}",
                context=f" {number}",
            )
        ),
    ]


def _two_inputs(form: ModelFormat, name: str, rule: str, first: int) -> Case:
    inputs = ((0, "a"), (1, "b"))
    return Case(
        name=name,
        rule=rule,
        basis=basis.INPUTS,
        steps=[
            *ready(form.subtract()),
            *tensor("a", numbers("f32", 5, 6, 7, 8)),
            *tensor("b", numbers("f32", 1, 1, 1, 2)),
            set_input(*inputs[first]),
            set_input(*inputs[1 - first]),
            compute(),
            *output(numbers("f32", 4, 5, 6, 6)),
        ],
    )


def _refused(
    form: ModelFormat,
    name: str,
    what: str,
    steps: Sequence[Step],
    at: At | None = None,
    *,
    stands_on: Basis = basis.POINTER,
) -> Case:
    """Return a case of a refused tensor, followed by a valid one."""
    trap = stands_on in (basis.POINTER, basis.ENUM)
    return Case(
        name=name,
        rule=f"{what} {'traps or ' if trap else ''}is an error, and the context still works",
        basis=stands_on,
        steps=[
            *ready(form.add("f32")),
            *steps,
            refused("set_input", LoadU32("context"), 0, at or At("x"), may_trap=trap),
            used_anyway(),
            *tensor("good"),
            set_input(label="good"),
            compute(),
            *output(Y),
        ],
    )


def _pointer(
    form: ModelFormat,
    name: str,
    what: str,
    *,
    rank: int = 2,
    dims: At | bytes | None = None,
    data: At | bytes | None = None,
) -> Case:
    steps = [*tensor()[:2], record("x", _F32, rank, 16, dims=dims, data=data)]
    return _refused(form, name, what, steps)


def _number(form: ModelFormat, name: str, what: str, number: int) -> Case:
    steps = [*tensor()[:2], record("x", number, 2, 16)]
    return _refused(form, name, what, steps, stands_on=basis.ENUM)


def _sized(columns: int) -> list[Step]:
    """Place a tensor of one row without data."""
    return [
        DataSegment("x dims", [u32(1, columns)]),
        DataSegment("x data", [X]),
        record("x", _F32, 2, 0),
    ]


def _short_at_end(form: ModelFormat) -> Case:
    """A case of data that is 4 MiB too short, at the end of memory: used, it is a read outside."""
    count = 1 << 20
    return Case(
        name="input-short-at-end",
        rule="data of 4 bytes at the end of memory for 4 MiB is an error, also if it is computed",
        basis=basis.COMPUTES_ACCEPTED,
        steps=[
            *ready(form.dynamic()),
            DataSegment("x dims", [u32(count)]),
            record("x", _F32, 1, 4, data=_END_4),
            refused("set_input", LoadU32("context"), 0, At("x")),
            used_anyway(),
        ],
    )


def _large_and_empty(form: ModelFormat) -> Case:
    return Case(
        name="input-large-and-empty",
        rule="an axis of 2^30 without data is an error, also if it is computed",
        basis=basis.COMPUTES_ACCEPTED,
        steps=[
            *ready(form.dynamic()),
            DataSegment("x dims", [u32(1 << 30)]),
            DataSegment("x data", [X]),
            record("x", _F32, 1, 0),
            refused("set_input", LoadU32("context"), 0, At("x")),
            used_anyway(),
        ],
    )
