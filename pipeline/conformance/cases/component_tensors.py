"""Cases of components: tensors, inputs and outputs."""

from __future__ import annotations

from pipeline.conformance.case import (
    At,
    Basis,
    Call,
    Case,
    DataSegment,
    ExpectAdvised,
    ExpectBytes,
    LoadU32,
    Step,
)
from pipeline.conformance.cases.component_basis import (
    ACCESS,
    CHOICE,
    NAME,
    SAFE,
    TENSOR,
    WORKS,
)
from pipeline.conformance.cases.component_steps import (
    ERRORS,
    code,
    component_case,
    compute,
    inferred,
    inputs,
    not_computed,
    output,
    read,
    ready,
    tensor,
)
from pipeline.conformance.cases.steps import HANDLE, UNTOUCHED, X, Y, served, u32
from pipeline.conformance.models import ir
from pipeline.conformance.models.model import TYPES, numbers
from pipeline.host.abi.wit_types import ELEMENTS

_KINDS = {element: name for name, element in ELEMENTS.items()}


def cases() -> list[Case]:
    """Return the cases."""
    return [
        *_tensors(),
        *(_refused(*each) for each in _misfits()),
        *_inputs(),
        *_outputs(),
    ]


def _tensors() -> list[Case]:
    found = []
    for number, name in enumerate(ELEMENTS):
        size = (
            2
            if name in ("FP16", "BF16")
            else 8
            if name in ("FP64", "I64")
            else 1
            if name == "U8"
            else 4
        )
        data = bytes(range(3 * size))
        found.append(
            component_case(
                f"tensor-{name.lower()}",
                f"a tensor of {name} has the type, dimensions and data that it was made of",
                ACCESS,
                [
                    *tensor("t", data, element=name, dims=(3, 1)),
                    *read("t", data),
                    DataSegment("type", [HANDLE]),
                    served("tensor.type", LoadU32("t"), At("type")),
                    ExpectBytes("type", u32(number), "the type is another", unsafe=False),
                    DataSegment("dims", [UNTOUCHED * 8]),
                    DataSegment("rank", [HANDLE]),
                    served("tensor.dims", LoadU32("t"), At("dims"), 8, At("rank")),
                    ExpectBytes("rank", u32(2), "the rank is another", unsafe=False),
                    ExpectBytes("dims", u32(3, 1), "the dimensions are others", unsafe=False),
                ],
            )
        )
    for element in TYPES:
        if element == "f32":
            continue
        x, y = numbers(element, 1, 2, 3, 4), numbers(element, 2, 4, 6, 8)
        found.append(
            component_case(
                f"infer-{element}",
                f"a model of {element} infers",
                WORKS,
                [
                    *ready(ir.add(element)),
                    *tensor(data=x, element=_KINDS[element]),
                    *compute(("x", "x")),
                    *output(y),
                ],
            )
        )
    return [
        *found,
        component_case(
            "tensor-misaligned",
            "data at an odd address is taken",
            ACCESS,
            [*ready(), *tensor(misalignment=1), *compute(("x", "x")), *output()],
        ),
    ]


def _misfits() -> list[tuple[str, str, Basis, list[Step]]]:
    return [
        ("data-short", "data of fewer bytes than the dimensions say", TENSOR, tensor(data=X[:12])),
        ("data-long", "data of more bytes than the dimensions say", TENSOR, tensor(data=X * 2)),
        ("data-empty", "data of no bytes", TENSOR, tensor(data=b"")),
        (
            "dims-other",
            "dimensions that the model does not have",
            SAFE,
            tensor(dims=(1, 5), data=X + X[:4]),
        ),
        (
            "dims-rank",
            "a rank that the model does not have",
            SAFE,
            tensor(dims=(1, 1, 1, 5), data=X + X[:4]),
        ),
        (
            "dims-zero",
            "an empty axis where the model's is not",
            SAFE,
            tensor(dims=(1, 0), data=b""),
        ),
        ("dims-huge", "dimensions whose product overflows", SAFE, tensor(dims=(0xFFFFFFFF,) * 4)),
        ("type-other", "a type that the model does not take", SAFE, tensor(element="I32")),
        ("type-bf16", "bf16 for an input of f32", SAFE, tensor(element="BF16", data=X[:8])),
    ]


def _refused(name: str, rule: str, basis: Basis, made: list[Step]) -> Case:
    steps = [*ready(), *made, *not_computed(("x", "x")), *inferred(" after")]
    return component_case(
        name, f"{rule} is an error at compute, and the next call works", basis, steps
    )


def _inputs() -> list[Case]:
    two = [*ready(ir.subtract()), *tensor("a", X), *tensor("b", Y)]
    difference = numbers("f32", -1, -2, -3, -4)
    return [
        component_case(
            "inputs-any-order",
            "inputs are found by their names, in any order",
            NAME,
            [*two, *compute(("b", "b"), ("a", "a")), *output(difference)],
        ),
        component_case(
            "input-missing",
            "an input that is missing is an error",
            SAFE,
            [*two, *not_computed(("a", "a"))],
        ),
        component_case(
            "input-missing-first",
            "a first input that is missing is an error",
            SAFE,
            [*two, *not_computed(("b", "b"))],
        ),
        component_case("inputs-none", "no input is an error", SAFE, [*ready(), *not_computed()]),
        component_case(
            "inputs-of-before",
            "the inputs of an earlier call are not those of a later one",
            SAFE,
            [*ready(), *inferred(), *not_computed(label=" later")],
        ),
        component_case(
            "input-unknown",
            "an input that the model does not have is an error",
            SAFE,
            [*ready(), *tensor(), *not_computed(("z", "x")), *inferred(" after")],
        ),
        component_case(
            "input-twice",
            "an input that is given twice is an error",
            CHOICE,
            [*ready(), *tensor("x"), *tensor("again"), *_maybe(("x", "x"), ("x", "again"))],
        ),
        component_case(
            "input-index",
            "the index of an input, in decimal, is a name for it",
            CHOICE,
            [
                *ready(),
                *tensor(),
                *inputs(("0", "x")),
                DataSegment("outputs", [HANDLE * 2]),
                Call(
                    "context.compute",
                    [LoadU32("context"), At("inputs"), 1, At("outputs")],
                    (0, *ERRORS),
                    advised=(0,),
                ),
            ],
        ),
        component_case(
            "dynamic-empty",
            "an empty dynamic axis infers, or is an error",
            CHOICE,
            [
                *ready(ir.dynamic()),
                *tensor(dims=(0,), data=b""),
                *_maybe(("x", "x"), advised=0),
                *tensor("three", numbers("f32", 1, 2, 3), dims=(3,)),
                *compute(("x", "three"), label=" after"),
                *output(numbers("f32", 2, 3, 4), label=" after"),
            ],
        ),
    ]


def _maybe(*named: tuple[str, str], advised: int | None = None) -> list[Step]:
    wanted = code("invalid-argument") if advised is None else advised
    return [
        *inputs(*named),
        DataSegment("outputs", [HANDLE * 2]),
        Call(
            "context.compute",
            [LoadU32("context"), At("inputs"), len(named), At("outputs")],
            (0, *ERRORS),
            advised=(wanted,),
        ),
    ]


def _outputs() -> list[Case]:
    return [
        component_case(
            "two-outputs",
            "each output is returned in its own type",
            WORKS,
            [
                *ready(ir.two_outputs()),
                *tensor(),
                *compute(("x", "x")),
                ExpectBytes("outputs", u32(2), "the number of outputs is another", 4, unsafe=False),
                *output(Y),
                *output(numbers("i32", 11, 22, 33, 44), 1),
            ],
        ),
        component_case(
            "output-name",
            "outputs have the names of the model",
            CHOICE,
            [
                *ready(),
                *tensor(),
                *compute(("x", "x")),
                DataSegment("name", [UNTOUCHED * 8]),
                DataSegment("length", [HANDLE]),
                served("output.name", LoadU32("outputs"), 0, At("name"), 8, At("length")),
                ExpectAdvised("name", b"y" + UNTOUCHED * 7, "the output is not named y"),
            ],
        ),
    ]
