"""Cases of `load` that are asked once: of builders, encodings and targets by their numbers."""

from __future__ import annotations

from pipeline.conformance.case import (
    ERRORS,
    At,
    Basis,
    Call,
    Case,
    DataSegment,
    ExpectBytes,
    SkipUnlessSuccess,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.load import other_encoding, refused_load
from pipeline.conformance.cases.steps import (
    ANY,
    ARGUMENT,
    CPU,
    ENCODING,
    HANDLE,
    RUNTIME,
    SUCCESS,
    Y,
    context,
    inferred,
    model,
    ready,
    refused,
    tensor,
)
from pipeline.conformance.models import ir, onnx, tensorflow, tflite
from pipeline.conformance.models.model import SuiteModel, numbers

_SQUARES = numbers("f32", 100, 400, 900, 1600)
_AUTO = 3
_AUTODETECT_BASIS = basis.choice(
    "Hosts disagree: 5 is autodetect for WasmEdge, ggml for WAMR and the WIT, and 6 the reverse. "
    "Either refuses the model or computes it; the witx at 71320d95 ends at 4.",
    "wasi-nn.wit 0.2.0-rc-2024-10-28, graph-encoding: “ggml, autodetect”",
)


def cases() -> list[Case]:
    """Return the cases."""
    add = ir.add()
    return [
        *(
            _builders(count, spelling, title, stands_on)
            for count, spelling, title, stands_on in (
                (0, "no-builder", "no builder is an error", basis.BUILDERS),
                (1, "one-builder", "an IR without its weights is an error", basis.BUILDERS),
                (3, "three-builders", "a third builder is an error", basis.MORE_BUILDERS),
                (4, "four-builders", "a fourth builder is an error", basis.MORE_BUILDERS),
            )
        ),
        refused_load(
            "load-swapped",
            "an IR with xml and weights swapped is an error",
            basis.UNREADABLE,
            model(SuiteModel((add.parts[1], add.parts[0]))),
            refused("load", At("builders"), 2, add.encoding, CPU, At("graph"), advised=(RUNTIME,)),
            add,
        ),
        refused_load(
            "load-encoding-out-of-range",
            "the encoding 42 traps or is an error",
            basis.ENUM,
            model(add),
            refused(
                "load", At("builders"), 2, 42, CPU, At("graph"), advised=(ENCODING,), may_trap=True
            ),
            add,
        ),
        other_encoding("load-onnx", "ONNX", onnx.add(), Y),
        other_encoding(
            "load-tensorflow", "a frozen TensorFlow graph", tensorflow.square(), _SQUARES
        ),
        other_encoding("load-tensorflowlite", "TFLite", tflite.add(), Y),
        *(
            Case(
                name=f"load-garbage-{name}",
                rule=f"an invalid {title} is an error",
                basis=basis.UNREADABLE,
                steps=[
                    *model(SuiteModel((bytes(range(7, 250)) * 4,))),
                    DataSegment("graph", [HANDLE]),
                    refused(
                        "load",
                        *(At("builders"), 1, number, CPU, At("graph")),
                        advised=(RUNTIME, ENCODING),
                    ),
                    ExpectBytes("graph", HANDLE, "a failed load wrote a handle"),
                ],
            )
            for name, title, number in (
                ("onnx", "ONNX model", 1),
                ("tensorflow", "TensorFlow graph", 2),
                ("pytorch", "TorchScript program", 3),
                ("tensorflowlite", "TFLite model", 4),
            )
        ),
        *(
            Case(
                name=f"load-autodetect-{number}",
                rule=f"encoding {number} traps, is an error, or detects ONNX and computes",
                basis=_AUTODETECT_BASIS,
                steps=[
                    *model(SuiteModel(onnx.add().parts)),
                    DataSegment("graph", [HANDLE]),
                    Call(
                        "load",
                        (At("builders"), 1, number, CPU, At("graph")),
                        ANY,
                        may_trap=True,
                    ),
                    SkipUnlessSuccess(),
                    *context(),
                    *tensor(),
                    *inferred(),
                ],
            )
            for number in (5, 6)
        ),
        Case(
            name="load-target-auto",
            rule="the target 3 traps, is an error, or is served right",
            basis=basis.choice(
                "3 is auto for WasmEdge and the newer Rust bindings, which use it by default; the "
                "witx ends at 2. Serving it on the CPU keeps those guests working."
            ),
            steps=[
                *model(add),
                DataSegment("graph", [HANDLE]),
                Call(
                    "load",
                    (At("builders"), 2, add.encoding, _AUTO, At("graph")),
                    ANY,
                    advised=(SUCCESS,),
                    may_trap=True,
                ),
                SkipUnlessSuccess(),
                *context(),
                *tensor(),
                *inferred(),
            ],
        ),
        Case(
            name="load-tensor-name",
            rule="a model whose input has a name of other scripts computes",
            basis=basis.LOAD,
            steps=[*ready(ir.named("имя/名 é")), *tensor(), *inferred()],
        ),
    ]


def _builders(count: int, spelling: str, title: str, stands_on: Basis) -> Case:
    add = ir.add()
    four = SuiteModel((*add.parts, add.parts[1], add.parts[1]))
    call = Call(
        "load",
        (At("builders"), count, add.encoding, CPU, At("graph")),
        ERRORS,
        unsafe=(SUCCESS,) if count < 2 else (),
        advised=(ARGUMENT,),
    )
    if count < 2:
        return refused_load(f"load-{spelling}", title, stands_on, model(four), call, add)
    return Case(
        name=f"load-{spelling}",
        rule=title,
        basis=stands_on,
        steps=[*model(four), DataSegment("graph", [HANDLE]), call],
    )
