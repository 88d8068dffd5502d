"""Steps of components: what their functions return is 0, or one more than the code of the error."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.case import (
    COMPONENT,
    At,
    Basis,
    Call,
    Case,
    DataSegment,
    ExpectBytes,
    LoadU32,
    Step,
)
from pipeline.conformance.cases.steps import HANDLE, UNTOUCHED, X, Y, model, served, u32
from pipeline.conformance.models import ir
from pipeline.conformance.models.model import SuiteModel
from pipeline.host.abi.wit_types import ERROR_CODE, TENSOR_TYPE

ERRORS = tuple(range(1, len(ERROR_CODE.cases) + 1))
CPU = 0


def code(name: str) -> int:
    """Return what a function returns for an error code."""
    return ERROR_CODE.cases.index(name) + 1


def refused(
    function: str, *arguments: int | At | LoadU32, advised: str = "invalid-argument"
) -> Call:
    """Return a call that must return an error, best the ``advised``; success is unsafe."""
    return Call(function, arguments, ERRORS, (0,), advised=(code(advised),))


def trapped(function: str, *arguments: int | At | LoadU32) -> Call:
    """Return a call that must trap, by the canonical ABI."""
    return Call(function, arguments, (), (0,), may_trap=True)


def loaded(parts: SuiteModel | None = None, label: str = "") -> list[Step]:
    """Load a model, `add` of f32 by default; its handle is placed at ``graph``."""
    parts = parts or ir.add()
    return [
        *model(parts, label),
        DataSegment(f"graph{label}", [HANDLE]),
        served(
            "graph.load",
            *(At(f"builders{label}"), len(parts.parts), parts.encoding, CPU, At(f"graph{label}")),
        ),
    ]


def context(label: str = "") -> list[Step]:
    """Create a context of the graph; its handle is placed at ``context``."""
    return [
        DataSegment(f"context{label}", [HANDLE]),
        served("graph.context", LoadU32(f"graph{label}"), At(f"context{label}")),
    ]


def ready(parts: SuiteModel | None = None) -> list[Step]:
    """Load a model and create a context."""
    return [*loaded(parts), *context()]


def tensor(
    label: str = "x",
    data: bytes = X,
    *,
    element: str = "FP32",
    dims: Sequence[int] = (1, 4),
    misalignment: int = 0,
) -> list[Step]:
    """Make a tensor; its handle is placed at its label."""
    return [
        DataSegment(f"{label} dims", [u32(*dims)]),
        DataSegment(f"{label} data", [data or b"\0"], misalignment),
        DataSegment(label, [HANDLE]),
        served(
            "tensor.new",
            *(At(f"{label} dims"), len(dims), TENSOR_TYPE.cases.index(element)),
            *(At(f"{label} data"), len(data), At(label)),
        ),
    ]


def inputs(*named: tuple[str, str], label: str = "inputs") -> list[Step]:
    """Place the list of inputs: names, and the labels of their tensors, whose handles are copied.

    A handle is known only when the guest runs, so a function of the guest copies it.
    """
    steps: list[Step] = []
    parts: list[bytes | At] = []
    for number, (name, _) in enumerate(named):
        steps.append(DataSegment(f"{label} name {number}", [name.encode() or b"\0"]))
        parts += [At(f"{label} name {number}"), u32(len(name.encode())), HANDLE]
    steps.append(DataSegment(label, parts or [b"\0"]))
    for number, (_, tensor_label) in enumerate(named):
        steps.append(served("input.put", LoadU32(tensor_label), At(label, 12 * number + 8)))
    return steps


def compute(*named: tuple[str, str], label: str = "", context: str = "") -> list[Step]:
    """Compute with named tensors; the list of outputs is placed at ``outputs``."""
    return [
        *inputs(*named, label=f"inputs{label}"),
        DataSegment(f"outputs{label}", [HANDLE * 2]),
        served(
            "context.compute",
            *(LoadU32(f"context{context}"), At(f"inputs{label}"), len(named)),
            At(f"outputs{label}"),
        ),
    ]


def not_computed(
    *named: tuple[str, str], label: str = "", advised: str = "invalid-argument"
) -> list[Step]:
    """Compute with tensors that the model must not take."""
    return [
        *inputs(*named, label=f"inputs{label}"),
        DataSegment(f"outputs{label}", [HANDLE * 2]),
        refused(
            "context.compute",
            *(LoadU32("context"), At(f"inputs{label}"), len(named), At(f"outputs{label}")),
            advised=advised,
        ),
    ]


def output(expected: bytes = Y, index: int = 0, *, label: str = "") -> list[Step]:
    """Read an output and check its bytes."""
    name = f"{label} {index}"
    return [
        DataSegment(f"y{name}", [HANDLE]),
        served("output.tensor", LoadU32(f"outputs{label}"), index, At(f"y{name}")),
        *read(f"y{name}", expected),
    ]


def read(label: str, expected: bytes) -> list[Step]:
    """Read a tensor's data and check it."""
    return [
        DataSegment(f"{label} bytes", [UNTOUCHED * (len(expected) + 16)]),
        DataSegment(f"{label} size", [HANDLE]),
        served(
            "tensor.read",
            *(LoadU32(label), At(f"{label} bytes"), len(expected), At(f"{label} size")),
        ),
        ExpectBytes(f"{label} size", u32(len(expected)), "the tensor's data has another length"),
        ExpectBytes(f"{label} bytes", expected, "the tensor's data is wrong"),
    ]


def component_case(
    name: str, rule: str, basis: Basis, steps: Sequence[Step], graphs: Sequence[str] = ()
) -> Case:
    """Return a case of the component interface."""
    return Case(name=name, rule=rule, basis=basis, steps=steps, encoding=COMPONENT, graphs=graphs)


def inferred(label: str = "") -> list[Step]:
    """Infer with a new tensor, as on any host that still works."""
    return [
        *tensor(f"x{label}"),
        *compute(("x", f"x{label}"), label=label),
        *output(label=label),
    ]


def ready_after() -> list[Step]:
    """Load another model and infer, which shows that the host still works."""
    return [*loaded(label=" after"), *_context_after(), *inferred(" after")]


def _context_after() -> list[Step]:
    return [
        DataSegment("context", [HANDLE]),
        served("graph.context", LoadU32("graph after"), At("context")),
    ]
