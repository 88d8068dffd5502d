"""Cases of `load` that every encoding has: pointers, numbers, handles and broken models."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.case import (
    END,
    At,
    Basis,
    Call,
    Case,
    DataSegment,
    ExpectBytes,
    ExpectUnlike,
    LoadU32,
    SkipUnlessSuccess,
    Step,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    ANY,
    ARGUMENT,
    CPU,
    ENCODING,
    HANDLE,
    RUNTIME,
    SUCCESS,
    X,
    Y,
    compute,
    context,
    inferred,
    loaded,
    maybe,
    model,
    output,
    ready,
    record,
    refused,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models.model import TYPES, ModelFormat, SuiteModel, numbers

_GPU, _TPU = 1, 2
_MANY = 32


def cases(form: ModelFormat) -> list[Case]:
    """Return the cases, in the order of a host's work."""
    add = form.add("f32")
    count = len(add.parts)
    return [
        Case(
            name="load-infer",
            rule="a model from bytes with one input and one output computes the right values",
            basis=basis.LOAD,
            steps=[*ready(add), *tensor(), *inferred()],
        ),
        _refused(
            "load-handle-out-of-bounds",
            "a handle pointer that ends outside memory traps or is an error",
            add,
            out=At(END, -2),
        ),
        _refused(
            "load-builders-out-of-bounds",
            "a builder array that ends outside memory traps or is an error",
            add,
            builders=At(END, -4),
        ),
        _refused(
            "load-builders-past-4-gib",
            "a builder array that ends past 4 GiB traps or is an error",
            add,
            builders=0xFFFFFFFC,
        ),
        _refused(
            "load-builders-huge",
            "more builders than fit into memory trap or are an error",
            add,
            count=0x20000001,
        ),
        *(
            _refused(
                f"load-{part}-{where}",
                f"a builder of the {part} that ends {title} traps or is an error",
                add,
                parts=_moved(add, number, start),
            )
            for number, part in enumerate(("xml", "weights") if count == 2 else ("model",))
            for where, title, start in (
                ("out-of-bounds", "outside memory", At(END, -8)),
                ("past-4-gib", "past 4 GiB", u32(0xFFFFFFF8)),
            )
        ),
        _misaligned(add),
        _broken("load-garbage", "bytes that are no model", add, (b"no model" * 8, *add.parts[1:])),
        _broken("load-empty", "an empty model", add, (b"", *add.parts[1:])),
        _broken("load-truncated", "a model that is cut off", add, _truncated(add)),
        Case(
            name="load-target-gpu",
            rule="the target gpu is refused, or served right",
            basis=basis.TARGET,
            steps=_targeted(add, _GPU),
        ),
        Case(
            name="load-target-tpu",
            rule="the target tpu is refused, or served right",
            basis=basis.TARGET,
            steps=_targeted(add, _TPU),
        ),
        _refused(
            "load-target-out-of-range",
            "the target 9 traps or is an error",
            add,
            target=9,
            stands_on=basis.ENUM,
        ),
        Case(
            name="load-handles",
            rule="two graphs have two handles, each for its own model",
            basis=basis.OPAQUE,
            steps=[
                *loaded(add),
                *loaded(form.subtract(), " 2"),
                ExpectUnlike("graph", "graph 2", "two graphs have the same handle"),
                *context(" 2"),
                *context(),
                *tensor(),
                *tensor("b", numbers("f32", 1, 1, 1, 1)),
                *inferred(),
                set_input(0, context=" 2"),
                set_input(1, "b", context=" 2"),
                compute(" 2"),
                *output(numbers("f32", 9, 19, 29, 39), label=" 2", context=" 2"),
            ],
        ),
        Case(
            name="limit-graphs",
            rule=f"a guest may load {_MANY} graphs",
            basis=basis.choice(
                "No text has a number. Guests that switch between models need more than a few."
            ),
            steps=[
                *model(add),
                *(
                    step
                    for number in range(_MANY)
                    for step in (
                        DataSegment(f"graph {number}", [HANDLE]),
                        Call(
                            "load",
                            (At("builders"), count, add.encoding, CPU, At(f"graph {number}")),
                            (SUCCESS,),
                            needed=True,
                        ),
                    )
                ),
            ],
        ),
        Case(
            name="load-after-failure",
            rule="a failed load writes no handle, and the next load works",
            basis=basis.AFTER_FAILURE,
            steps=[
                *model(SuiteModel((b"no model", b"")[:count], add.encoding), " bad"),
                DataSegment("graph bad", [HANDLE]),
                refused(
                    "load",
                    *(At("builders bad"), count, add.encoding, CPU, At("graph bad")),
                    advised=(RUNTIME,),
                ),
                ExpectBytes("graph bad", HANDLE, "a failed load wrote a handle"),
                *ready(add),
                *tensor(),
                *inferred(),
            ],
        ),
    ]


def refused_load(
    name: str,
    rule: str,
    stands_on: Basis,
    steps: Sequence[Step],
    call: Call,
    add: SuiteModel,
) -> Case:
    """Return a case of a refused load that writes nothing, after which a load works."""
    return Case(
        name=name,
        rule=rule,
        basis=stands_on,
        steps=[
            *steps,
            DataSegment("graph", [HANDLE]),
            call,
            ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            *ready(add, " after"),
        ],
    )


def other_encoding(
    name: str, title: str, model_: SuiteModel, expected: bytes, stands_on: Basis = basis.ENCODING
) -> Case:
    """Return a case of an encoding that the host may lack: refused, or served right."""
    return Case(
        name=name,
        rule=f"{title} is refused, or served right",
        basis=stands_on,
        steps=[
            *model(model_),
            DataSegment("graph", [HANDLE]),
            maybe(
                "load",
                *(At("builders"), len(model_.parts), model_.encoding, CPU, At("graph")),
                advised=(SUCCESS, ENCODING),
            ),
            SkipUnlessSuccess(),
            *context(),
            *tensor(),
            *inferred(expected),
        ],
    )


def _refused(
    name: str,
    rule: str,
    add: SuiteModel,
    count: int | None = None,
    *,
    builders: int | At | None = None,
    target: int = CPU,
    out: At | None = None,
    parts: Sequence[Step] | None = None,
    stands_on: Basis = basis.POINTER,
) -> Case:
    call = refused(
        "load",
        At("builders") if builders is None else builders,
        len(add.parts) if count is None else count,
        add.encoding,
        target,
        out or At("graph"),
        may_trap=True,
    )
    return refused_load(name, rule, stands_on, parts or model(add), call, add)


def _broken(name: str, what: str, add: SuiteModel, parts: tuple[bytes, ...]) -> Case:
    call = refused(
        "load",
        *(At("builders"), len(parts), add.encoding, CPU, At("graph")),
        advised=(RUNTIME,),
    )
    return refused_load(
        name,
        f"{what} {'are' if what.startswith('bytes') else 'is'} an error",
        basis.UNREADABLE,
        model(SuiteModel(parts)),
        call,
        add,
    )


def _truncated(add: SuiteModel) -> tuple[bytes, ...]:
    """Cut the weights of an IR, else the model."""
    *whole, last = add.parts
    return (*whole, last[: len(last) // 2])


def _moved(add: SuiteModel, moved: int, start: At | bytes) -> list[Step]:
    """Place a model with a builder that starts elsewhere and is 4 KiB long."""
    builders: list[bytes | At] = []
    for number, part in enumerate(add.parts):
        builders += (
            [start, u32(4096)] if number == moved else [At(f"part {number}"), u32(len(part))]
        )
    segments: list[Step] = [
        DataSegment(f"part {number}", [part]) for number, part in enumerate(add.parts)
    ]
    return [*segments, DataSegment("builders", builders)]


def _targeted(add: SuiteModel, target: int) -> list[Step]:
    return [
        *model(add),
        DataSegment("graph", [HANDLE]),
        maybe(
            "load",
            *(At("builders"), len(add.parts), add.encoding, target, At("graph")),
            advised=(SUCCESS, ARGUMENT),
        ),
        SkipUnlessSuccess(),
        DataSegment("context", [HANDLE]),
        maybe("init_execution_context", LoadU32("graph"), At("context")),
        SkipUnlessSuccess(),
        *tensor(),
        maybe("set_input", LoadU32("context"), 0, At("x")),
        SkipUnlessSuccess(),
        maybe("compute", LoadU32("context")),
        SkipUnlessSuccess(),
        *output(Y),
    ]


def _misaligned(add: SuiteModel) -> Case:
    """A case in which every pointer is odd."""
    builders: list[bytes | At] = []
    for number, part in enumerate(add.parts):
        builders += [At(f"part {number}"), u32(len(part))]

    def tried(function: str, *arguments: int | At | LoadU32) -> list[Step]:
        call = Call(function, arguments, ANY, advised=(SUCCESS,), may_trap=True)
        return [call, SkipUnlessSuccess()]

    return Case(
        name="load-misaligned",
        rule="pointers at odd addresses are served right, trap, or are an error",
        basis=basis.MISALIGNED,
        steps=[
            *(DataSegment(f"part {n}", [part], 3) for n, part in enumerate(add.parts)),
            DataSegment("builders", builders, 1),
            DataSegment("graph", [HANDLE], 1),
            *tried("load", At("builders"), len(add.parts), add.encoding, CPU, At("graph")),
            DataSegment("context", [HANDLE], 3),
            *tried("init_execution_context", LoadU32("graph"), At("context")),
            DataSegment("x dims", [u32(1, 4)], 1),
            DataSegment("x data", [X], 1),
            record("x", TYPES["f32"][0], 2, 16, misalignment=1),
            *tried("set_input", LoadU32("context"), 0, At("x")),
            *tried("compute", LoadU32("context")),
            *output(Y),
        ],
    )
