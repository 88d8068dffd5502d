"""Cases of the component interface, wasi:nn@0.2.0-rc-2024-10-28."""

from __future__ import annotations

from pipeline.conformance.case import (
    At,
    Case,
    DataSegment,
    ExpectBytes,
    LoadU32,
    Step,
    Write,
)
from pipeline.conformance.cases import component_tensors
from pipeline.conformance.cases.component_basis import (
    ACCESS,
    ENUM,
    LIFETIME,
    OWNED,
    POINTER,
    RESOURCE,
    SAFE,
    WORKS,
)
from pipeline.conformance.cases.component_steps import (
    component_case,
    compute,
    context,
    inferred,
    inputs,
    loaded,
    not_computed,
    output,
    read,
    ready,
    ready_after,
    refused,
    tensor,
    trapped,
)
from pipeline.conformance.cases.steps import HANDLE, UNTOUCHED, X, Y, model, served, u32
from pipeline.conformance.models import ir
from pipeline.conformance.models.model import numbers
from pipeline.host.abi.wit_types import TENSOR_TYPE

_TPU, _BAD = 2, 77


def cases() -> list[Case]:
    """Return the cases."""
    return [*_loading(), *component_tensors.cases(), *_lifetimes(), *_traps()]


def _loading() -> list[Case]:
    add = ir.add()
    named: list[Step] = [
        DataSegment("name", [b"add"]),
        DataSegment("graph", [HANDLE]),
        served("graph.load-by-name", At("name"), 3, At("graph")),
    ]
    return [
        component_case(
            "infer", "a model is loaded from bytes and infers", WORKS, [*ready(), *inferred()]
        ),
        component_case(
            "infer-by-name",
            "a named graph is loaded and infers",
            WORKS,
            [*named, *context(), *inferred()],
            ["add"],
        ),
        _bad_load("load-garbage", "a model that is none", [b"<net", add.parts[1]], "runtime-error"),
        _bad_load("load-one-part", "a model without its weights", [add.parts[0]]),
        _bad_load("load-no-part", "a model of no parts", []),
        _bad_load("load-ggml", "an encoding without a backend", [b"GGUF"], "invalid-encoding", 5),
        _bad_load("load-tpu", "a device that is not there", list(add.parts), target=_TPU),
        component_case(
            "name-unknown",
            "an unknown name is an error",
            SAFE,
            [
                DataSegment("name", [b"nothing"]),
                DataSegment("graph", [HANDLE]),
                refused("graph.load-by-name", At("name"), 7, At("graph"), advised="not-found"),
                *ready_after(),
            ],
        ),
    ]


def _bad_load(
    name: str,
    rule: str,
    parts: list[bytes],
    advised: str = "invalid-argument",
    encoding: int = 0,
    target: int = 0,
) -> Case:
    builders: list[bytes | At] = []
    steps: list[Step] = []
    for number, part in enumerate(parts):
        steps.append(DataSegment(f"part {number}", [part]))
        builders += [At(f"part {number}"), u32(len(part))]
    steps += [
        DataSegment("builders", builders or [b"\0"]),
        DataSegment("graph", [HANDLE]),
        refused(
            *("graph.load", At("builders"), len(parts), encoding, target, At("graph")),
            advised=advised,
        ),
        ExpectBytes("graph", HANDLE, "a refused call gave a handle"),
    ]
    return component_case(name, f"{rule} is an error", SAFE, [*steps, *ready_after()])


def _lifetimes() -> list[Case]:
    other = numbers("f32", 10, 20, 30, 40)
    return [
        component_case(
            "graph-dropped",
            "a context works after its graph was dropped, whatever is loaded then",
            LIFETIME,
            [
                *ready(),
                served("graph.drop", LoadU32("graph")),
                *loaded(ir.subtract(), " other"),
                *inferred(),
            ],
        ),
        component_case(
            "output-outlives",
            "an output is there after its context and graph were dropped",
            LIFETIME,
            [
                *ready(),
                *tensor(),
                *compute(("x", "x")),
                served("context.drop", LoadU32("context")),
                served("graph.drop", LoadU32("graph")),
                *output(),
            ],
        ),
        component_case(
            "output-kept",
            "an output keeps its data when the context computes again",
            LIFETIME,
            [
                *ready(),
                *inferred(),
                *tensor("zeros", bytes(16)),
                *compute(("x", "zeros"), label=" again"),
                *output(numbers("f32", 1, 2, 3, 4), label=" again"),
                *read("y 0", Y),
            ],
        ),
        component_case(
            "tensor-copied",
            "a tensor does not change with the guest's buffer",
            ACCESS,
            [*tensor("t", other), _overwrite("t data"), *read("t", other)],
        ),
        component_case(
            "contexts-isolated",
            "two contexts of a graph keep apart",
            LIFETIME,
            [
                *ready(),
                DataSegment("context two", [HANDLE]),
                served("graph.context", LoadU32("graph"), At("context two")),
                *tensor("zeros", bytes(16)),
                *compute(("x", "zeros"), label=" two", context=" two"),
                *inferred(),
                *output(numbers("f32", 1, 2, 3, 4), label=" two"),
            ],
        ),
    ]


def _overwrite(label: str) -> Step:
    return Write(label, UNTOUCHED * 16)


def _traps() -> list[Case]:
    failed = [*ready(), *tensor(), *not_computed(("z", "x"))]
    out = DataSegment("out", [HANDLE * 2])
    outs = DataSegment("buffer", [UNTOUCHED * 32])
    data = At("buffer"), 16, At("out")
    return [
        component_case(
            "tensor-given-twice",
            "a tensor is the host's once it is given, so giving it twice traps",
            OWNED,
            [
                *ready(ir.subtract()),
                *tensor(),
                *inputs(("a", "x"), ("b", "x")),
                out,
                trapped("context.compute", LoadU32("context"), At("inputs"), 2, At("out")),
            ],
        ),
        component_case(
            "tensor-consumed-by-failure",
            "a tensor is the host's after a compute that failed",
            OWNED,
            [*failed, out, outs, trapped("tensor.read", LoadU32("x"), *data)],
        ),
        component_case(
            "handle-dropped",
            "a dropped handle traps",
            RESOURCE,
            [
                *tensor(),
                served("tensor.drop", LoadU32("x")),
                out,
                outs,
                trapped("tensor.read", LoadU32("x"), *data),
            ],
        ),
        component_case(
            "handle-dropped-twice",
            "a handle is dropped once",
            RESOURCE,
            [*tensor(), served("tensor.drop", LoadU32("x")), trapped("tensor.drop", LoadU32("x"))],
        ),
        component_case(
            "handle-of-another-kind",
            "a tensor is no graph",
            RESOURCE,
            [*tensor(), out, trapped("graph.context", LoadU32("x"), At("out"))],
        ),
        component_case(
            "handle-unknown",
            "a number that is no handle traps",
            RESOURCE,
            [*loaded(), out, trapped("graph.context", _BAD, At("out"))],
        ),
        component_case(
            "encoding-unknown",
            "a number that is no encoding traps",
            ENUM,
            [*model(ir.add()), out, trapped("graph.load", At("builders"), 2, _BAD, 0, At("out"))],
        ),
        component_case(
            "type-unknown",
            "a number that is no type traps",
            ENUM,
            [
                DataSegment("dims", [u32(1, 4)]),
                DataSegment("data", [X]),
                out,
                trapped(
                    "tensor.new", At("dims"), 2, len(TENSOR_TYPE.cases), At("data"), 16, At("out")
                ),
            ],
        ),
        component_case(
            "dims-misaligned",
            "dimensions at an odd address trap",
            POINTER,
            [
                DataSegment("dims", [u32(1, 4)], 1),
                DataSegment("data", [X]),
                out,
                trapped("tensor.new", At("dims"), 2, 1, At("data"), 16, At("out")),
            ],
        ),
        component_case(
            "data-out-of-bounds",
            "data outside memory traps",
            POINTER,
            [
                DataSegment("dims", [u32(1, 4)]),
                out,
                trapped("tensor.new", At("dims"), 2, 1, 0xFFFFFFF0, 16, At("out")),
            ],
        ),
        component_case(
            "name-not-utf8",
            "a name that is not UTF-8 traps",
            POINTER,
            [
                DataSegment("name", [b"\xff\xfe\xfd"]),
                out,
                trapped("graph.load-by-name", At("name"), 3, At("out")),
            ],
        ),
    ]
