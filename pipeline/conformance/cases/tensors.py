"""Cases of tensors that are asked once: scalars, empty, large, of other types, in grown memory."""

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
    Grow,
    LoadU32,
    SkipUnlessSuccess,
    Step,
    Write,
)
from pipeline.conformance.cases import basis
from pipeline.conformance.cases.steps import (
    ANY,
    HANDLE,
    SUCCESS,
    X,
    Y,
    compute,
    maybe,
    output,
    ready,
    record,
    refused,
    served,
    set_input,
    tensor,
    u32,
)
from pipeline.conformance.models import ir
from pipeline.conformance.models.model import TYPES, SuiteModel, numbers

_F32, _U8 = TYPES["f32"][0], TYPES["u8"][0]
_F16 = TYPES["f16"][0]
_LARGE = (128 << 20) + 4096
_PAGE = 65536


def cases() -> list[Case]:
    """Return the cases."""
    return [
        _scalar("input-scalar", "[1]", (1,), basis.SCALAR),
        _scalar(
            "input-scalar-empty-dims",
            "no dims",
            (),
            basis.choice(
                "The text asks for `[1]`, but models and most libraries call it `[]`. Taking both "
                "spares guests a special case.",
                basis.SCALAR.source,
            ),
        ),
        Case(
            name="input-dynamic-empty",
            rule="a dynamic axis of size 0 is an error, or computes an empty output",
            basis=basis.choice(
                "The first step of a decoder has empty caches. A host that refuses them cannot run "
                "such a model.",
                basis.DYNAMIC.source,
            ),
            steps=[
                *ready(ir.dynamic()),
                DataSegment("x dims", [u32(0)]),
                DataSegment("x data", [X]),
                record("x", _F32, 1, 0),
                maybe("set_input", LoadU32("context"), 0, At("x"), advised=(SUCCESS,)),
                SkipUnlessSuccess(),
                maybe("compute", LoadU32("context"), advised=(SUCCESS,)),
                SkipUnlessSuccess(),
                *output(b"", room=16),
            ],
        ),
        _large(),
        _numbered_2022(),
        _typeless("bf16", ir.add_bf16(), _F16, bytes(8)),
        _typeless("i8", ir.add_i8(), _F16, bytes(8)),
        _as_bytes("i8", ir.add_i8(), bytes([10, 20, 30, 40]), bytes([11, 22, 33, 44])),
        _as_bytes("boolean", ir.negate(), bytes([0, 1, 0, 1]), bytes([1, 0, 1, 0])),
        Case(
            name="memory-grown-before",
            rule="tensor, dims, data and output in memory that has grown since load are used",
            basis=basis.GROWN,
            steps=_grown(after_input=False),
        ),
        Case(
            name="memory-grown-between",
            rule="memory that grows between set_input and compute changes nothing",
            basis=basis.GROWN,
            steps=_grown(after_input=True),
        ),
        _gather(),
        Case(
            name="message-type",
            rule="the host prints which type the input has, and which the refused tensor",
            basis=basis.MESSAGE,
            says=("f32|fp32|float32|float_32", "i32|int32|int_32"),
            steps=[
                *ready(ir.add()),
                *tensor(element="i32"),
                refused("set_input", LoadU32("context"), 0, At("x")),
            ],
        ),
    ]


def _scalar(name: str, what: str, dims: Sequence[int], stands_on: Basis) -> Case:
    optional = stands_on is not basis.SCALAR
    call = Call(
        "set_input",
        (LoadU32("context"), 0, At("x")),
        ANY if optional else (SUCCESS,),
        advised=(SUCCESS,),
        needed=True,
    )
    return Case(
        name=name,
        rule=f"a scalar input takes a tensor with {what}",
        basis=stands_on,
        steps=[
            *ready(ir.scalar()),
            DataSegment("x dims", [u32(*dims) or u32(0)]),
            DataSegment("x data", [numbers("f32", 41)]),
            record("x", _F32, len(dims), 4),
            call,
            SkipUnlessSuccess(),
            compute(),
            *output(numbers("f32", 42)),
        ],
    )


def _large() -> Case:
    """A case of more than 128 MiB in memory that grows for it; only its ends are checked."""
    return Case(
        name="input-large",
        rule="a tensor of more than 128 MiB is an error, or computed right",
        basis=basis.choice(
            "Images and audio reach such sizes; 32-bit sizes and fixed buffers of a host do not."
        ),
        steps=[
            *ready(ir.dynamic("u8")),
            Grow(-(-2 * _LARGE // _PAGE) + 1),
            Write(END, b"\x07"),
            Write(END, b"\x09", _LARGE - 1),
            DataSegment("x dims", [u32(_LARGE)]),
            record("x", _U8, 1, _LARGE, data=At(END)),
            maybe("set_input", LoadU32("context"), 0, At("x"), advised=(SUCCESS,)),
            SkipUnlessSuccess(),
            maybe("compute", LoadU32("context"), advised=(SUCCESS,)),
            SkipUnlessSuccess(),
            DataSegment("written", [HANDLE]),
            served("get_output", LoadU32("context"), 0, At(END, _LARGE), _LARGE, At("written")),
            ExpectBytes("written", u32(_LARGE), "bytes_written is not the output's size"),
            ExpectBytes(END, b"\x08", "the first byte of the output is wrong", _LARGE),
            ExpectBytes(END, b"\x0a", "the last byte of the output is wrong", 2 * _LARGE - 1),
        ],
    )


def _numbered_2022() -> Case:
    return Case(
        name="type-numbers-2022",
        rule="an i32 tensor with its number of before 2023 is an error, or computed right",
        basis=basis.choice(
            "Before 2023-08 i32 was 3, which is u8 since. Guests of then are still in use; the "
            "bytes must not be taken for another type in silence.",
            "wasi-nn.witx before 2023-08: “(enum (@witx tag u8) $f16 $f32 $u8 $i32)”",
        ),
        steps=[
            *ready(ir.add("i32")),
            *tensor(data=numbers("i32", 10, 20, 30, 40), element="i32")[:2],
            record("x", 3, 2, 16),
            maybe("set_input", LoadU32("context"), 0, At("x")),
            SkipUnlessSuccess(),
            maybe("compute", LoadU32("context")),
            SkipUnlessSuccess(),
            *output(numbers("i32", 11, 22, 33, 44)),
        ],
    )


def _typeless(name: str, parts: SuiteModel, number: int, data: bytes) -> Case:
    """A case of a model whose type has no number, given a tensor of another type."""
    return Case(
        name=f"type-{name}-as-f16",
        rule=f"an f16 tensor for an input of {name} is an error",
        basis=basis.MATCH,
        steps=[
            *ready(parts),
            DataSegment("x dims", [u32(1, 4)]),
            DataSegment("x data", [data]),
            record("x", number, 2, len(data)),
            refused("set_input", LoadU32("context"), 0, At("x")),
        ],
    )


def _as_bytes(name: str, parts: SuiteModel, given: bytes, expected: bytes) -> Case:
    return Case(
        name=f"type-{name}-as-u8",
        rule=f"a u8 tensor for an input of {name} is an error, or its bytes are computed",
        basis=basis.choice(
            f"The enum has no {name}; a host that takes its bytes as u8 makes such models usable.",
            basis.TYPE.source,
        ),
        steps=[
            *ready(parts),
            *tensor(data=given, element="u8"),
            maybe("set_input", LoadU32("context"), 0, At("x"), advised=(SUCCESS,)),
            SkipUnlessSuccess(),
            compute(),
            *output(expected),
        ],
    )


def _grown(*, after_input: bool) -> list[Step]:
    """Infer with everything behind the initial memory, which grows once or twice."""
    placed: list[Step] = [
        Write(END, u32(1, 4), 16),
        Write(END, X, 32),
        DataSegment("x", [At(END, 16), u32(2), bytes([_F32, 0, 0, 0]), At(END, 32), u32(16)]),
        served("set_input", LoadU32("context"), 0, At("x")),
    ]
    again: list[Step] = [Grow(64), Write(END, bytes(16), 32)] if after_input else []
    return [
        *ready(ir.add()),
        Grow(1),
        *placed,
        *again,
        compute(),
        served("get_output", LoadU32("context"), 0, At(END, _PAGE - 16), 16, At(END, _PAGE - 32)),
        ExpectBytes(END, Y, "the output is wrong", _PAGE - 16),
        ExpectBytes(END, u32(16), "bytes_written is not the output's size", _PAGE - 32),
    ]


def _gather() -> Case:
    """A case of indices far outside, in an operation that OpenVINO does not check.

    All elements are zero, so that an element, zeros, and nothing written are the same bytes.
    """
    count = 64
    near = [number % 8 for number in range(count)]
    far = [1024 + 16 * number for number in range(count)]
    nothing = bytes(4 * count)
    return Case(
        name="compute-gather-out-of-range",
        rule="GatherND with indices out of range is an error, or gives elements or zeros",
        basis=basis.FOREIGN,
        steps=[
            *ready(ir.gather(count)),
            *tensor("x", numbers("i32", *near), element="i32", dims=(count, 1)),
            set_input(),
            compute(),
            *output(nothing),
            *tensor("far", numbers("i32", *far), element="i32", dims=(count, 1)),
            maybe("set_input", LoadU32("context"), 0, At("far")),
            SkipUnlessSuccess(),
            maybe("compute", LoadU32("context")),
            SkipUnlessSuccess(),
            DataSegment("y far", [nothing]),
            DataSegment("written far", [HANDLE]),
            maybe(
                "get_output",
                *(LoadU32("context"), 0, At("y far"), len(nothing), At("written far")),
            ),
            ExpectBytes("y far", nothing, "memory of the host is read"),
        ],
    )
