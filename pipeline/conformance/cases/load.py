"""Cases of `load`: a model from its bytes."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.case import (
    END,
    At,
    Call,
    Case,
    DataSegment,
    ExpectBytes,
    LoadU32,
    SkipUnlessSuccess,
    Step,
)
from pipeline.conformance.cases.steps import (
    ARGUMENT,
    CPU,
    ENCODING,
    HANDLE,
    OPENVINO,
    RUNTIME,
    SUCCESS,
    X,
    Y,
    context,
    inferred,
    load,
    loaded,
    model,
    ready,
    refused,
    served,
    tensor,
    u32,
)
from pipeline.conformance.models import SuiteModel, add, numbers, onnx, tensorflow, tflite

_ONNX, _TENSORFLOW, _PYTORCH, _TENSORFLOWLITE = 1, 2, 3, 4
_GPU, _TPU = 1, 2
_MANY = 32
_SQUARES = numbers("f32", 100, 400, 900, 1600)


def cases() -> list[Case]:
    """Return the cases, in the order of a host's work."""
    return [
        Case(
            name="load-infer",
            rule="a model from bytes with one input and one output computes the right values",
            steps=[*ready(), *tensor(), *inferred()],
        ),
        _refused_load(
            "load-handle-out-of-bounds",
            "errno 1 for a handle pointer that ends outside memory",
            [*model(add())],
            out=At(END, -2),
        ),
        _refused_load(
            "load-builders-out-of-bounds",
            "errno 1 for a builder array that ends outside memory",
            [*model(add())],
            builders=At(END, -8),
        ),
        _refused_load(
            "load-builders-past-4-gib",
            "errno 1 for a builder array that ends past 4 GiB",
            [*model(add())],
            builders=0xFFFFFFF8,
        ),
        _refused_load(
            "load-builders-huge",
            "errno 1 for more builders than fit into memory",
            [*model(add())],
            count=0x20000001,
        ),
        _with_builders(
            "load-xml-out-of-bounds",
            "errno 1 for an xml that ends outside memory",
            [At(END, -8), u32(4096), At("weights"), u32(16)],
        ),
        _with_builders(
            "load-xml-past-4-gib",
            "errno 1 for an xml that ends past 4 GiB",
            [u32(0xFFFFFFF0, 0x20), At("weights"), u32(16)],
        ),
        _with_builders(
            "load-weights-out-of-bounds",
            "errno 1 for weights that end outside memory",
            [At("xml"), u32(len(add().xml)), At(END, -8), u32(16)],
        ),
        _with_builders(
            "load-weights-past-4-gib",
            "errno 1 for weights that end past 4 GiB",
            [At("xml"), u32(len(add().xml)), u32(0xFFFFFFF8, 16)],
        ),
        _misaligned(),
        *(
            _refused_load(f"load-{spelling}", f"errno 1 for OpenVINO with {title}", [*four()], n)
            for n, spelling, title in (
                (0, "no-builder", "no builder"),
                (1, "one-builder", "one builder"),
                (3, "three-builders", "three builders"),
                (4, "four-builders", "four builders"),
            )
        ),
        _unreadable("load-garbage-xml", "bytes that are not xml", SuiteModel(b"no model" * 8, b"")),
        _unreadable("load-swapped", "xml and weights swapped", _swapped()),
        _unreadable("load-empty", "an empty xml", SuiteModel(b"", add().weights)),
        _unreadable(
            "load-truncated-weights", "truncated weights", SuiteModel(add().xml, add().weights[:8])
        ),
        _refused_load(
            "load-encoding-out-of-range",
            "errno 2 for the encoding 42",
            [*model(add())],
            encoding=42,
            by=(ENCODING,),
        ),
        *(
            _other_encoding(name, title, number, data, expected)
            for name, title, number, data, expected in (
                ("onnx", "ONNX", _ONNX, onnx(), Y),
                ("tensorflow", "a frozen TensorFlow graph", _TENSORFLOW, tensorflow(), _SQUARES),
                ("tensorflowlite", "TFLite", _TENSORFLOWLITE, tflite(), X),
            )
        ),
        *(
            Case(
                name=f"load-garbage-{name}",
                rule=f"errno 5 for an invalid {title}, or 2 without a backend",
                steps=[
                    DataSegment("garbage", [bytes(range(7, 250)) * 4]),
                    DataSegment("builders", [At("garbage"), u32(243 * 4)]),
                    DataSegment("graph", [HANDLE]),
                    refused(
                        "load",
                        *(At("builders"), 1, number, CPU, At("graph")),
                        by=(RUNTIME, ENCODING),
                    ),
                    ExpectBytes("graph", HANDLE, "a failed load wrote a handle"),
                ],
            )
            for name, title, number in (
                ("onnx", "ONNX model", _ONNX),
                ("tensorflow", "TensorFlow graph", _TENSORFLOW),
                ("pytorch", "TorchScript program", _PYTORCH),
                ("tensorflowlite", "TFLite flatbuffer", _TENSORFLOWLITE),
            )
        ),
        Case(
            name="load-target-gpu",
            rule="the target gpu works, or errno 1 without a GPU",
            steps=[
                *model(add()),
                DataSegment("graph", [HANDLE]),
                Call(
                    "load",
                    (At("builders"), 2, OPENVINO, _GPU, At("graph")),
                    (SUCCESS, ARGUMENT),
                ),
            ],
        ),
        _refused_load(
            "load-target-tpu", "errno 1 for the target tpu", [*model(add())], target=_TPU
        ),
        _refused_load(
            "load-target-out-of-range", "errno 1 for the target 9", [*model(add())], target=9
        ),
        Case(
            name="load-handles",
            rule=f"handles count from 0, for up to {_MANY} graphs",
            steps=[
                *model(add()),
                *(step for number in range(_MANY) for step in _numbered(number)),
            ],
        ),
        Case(
            name="load-failed-takes-no-handle",
            rule="a failed load writes nothing, and the next gets the first handle",
            steps=[
                *model(SuiteModel(b"no model", b""), " bad"),
                DataSegment("graph bad", [HANDLE]),
                refused(
                    "load",
                    *(At("builders bad"), 2, OPENVINO, CPU, At("graph bad")),
                    by=(RUNTIME,),
                ),
                ExpectBytes("graph bad", HANDLE, "a failed load wrote a handle"),
                *loaded(),
                ExpectBytes("graph", u32(0), "the first graph is not handle 0", unsafe=False),
            ],
        ),
    ]


def four() -> list[Step]:
    """Place four builders, of which an IR needs two."""
    return [
        DataSegment("xml", [add().xml]),
        DataSegment("weights", [add().weights]),
        DataSegment(
            "builders",
            [
                *(At("xml"), u32(len(add().xml)), At("weights"), u32(16)),
                *(At("weights"), u32(16), At("weights"), u32(16)),
            ],
        ),
    ]


def _refused_load(
    name: str,
    rule: str,
    steps: Sequence[Step],
    count: int = 2,
    *,
    builders: int | At | None = None,
    encoding: int = OPENVINO,
    target: int = CPU,
    out: At | None = None,
    by: tuple[int, ...] = (ARGUMENT,),
) -> Case:
    """Return a case of a rejected load that writes nothing, so that the next gets handle 0."""
    place = At("builders") if builders is None else builders
    return Case(
        name=name,
        rule=rule,
        steps=[
            *steps,
            DataSegment("graph", [HANDLE]),
            refused("load", place, count, encoding, target, out or At("graph"), by=by),
            ExpectBytes("graph", HANDLE, "a refused load wrote a handle"),
            *loaded(label=" after"),
            ExpectBytes("graph after", u32(0), "a refused load took a handle", unsafe=False),
        ],
    )


def _other_encoding(name: str, title: str, number: int, data: bytes, expected: bytes) -> Case:
    return Case(
        name=f"load-{name}",
        rule=f"{title} works, or errno 2 without a backend for it",
        steps=[
            DataSegment("model", [data]),
            DataSegment("builders", [At("model"), u32(len(data))]),
            DataSegment("graph", [HANDLE]),
            Call("load", (At("builders"), 1, number, CPU, At("graph")), (SUCCESS, ENCODING)),
            SkipUnlessSuccess(),
            *context(),
            *tensor(),
            *inferred(expected),
        ],
    )


def _with_builders(name: str, rule: str, parts: Sequence[bytes | At]) -> Case:
    return _refused_load(
        name,
        rule,
        [
            DataSegment("xml", [add().xml]),
            DataSegment("weights", [add().weights]),
            DataSegment("builders", parts),
        ],
    )


def _unreadable(name: str, what: str, parts: SuiteModel) -> Case:
    return _refused_load(name, f"errno 5 for {what}", [*model(parts)], by=(RUNTIME,))


def _swapped() -> SuiteModel:
    return SuiteModel(add().weights, add().xml)


def _numbered(number: int) -> list[Step]:
    return [
        DataSegment(f"graph {number}", [HANDLE]),
        served("load", At("builders"), 2, OPENVINO, CPU, At(f"graph {number}")),
        ExpectBytes(
            f"graph {number}", u32(number), f"graph {number} has another handle", unsafe=False
        ),
    ]


def _misaligned() -> Case:
    """A case in which every pointer is odd: the ABI's pointers are byte addresses."""
    parts = add()
    return Case(
        name="load-misaligned",
        rule="builders, tensor, dims, data and results may be at odd addresses",
        steps=[
            DataSegment("xml", [parts.xml], 3),
            DataSegment("weights", [parts.weights], 1),
            DataSegment(
                "builders",
                [At("xml"), u32(len(parts.xml)), At("weights"), u32(len(parts.weights))],
                1,
            ),
            DataSegment("graph", [HANDLE], 1),
            load(),
            DataSegment("context", [HANDLE], 3),
            served("init_execution_context", LoadU32("graph"), At("context")),
            *tensor(misalignment=1),
            *inferred(),
        ],
    )
