"""ONNX's TensorProto and raw files become tensors, exactly or not at all."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import ElementType, StoredArray, Tensor
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.make_tensor import make_tensor
from pipeline.tensor.stored_array import read_array

DIMS = (2, 3)
VALUES = [-3, -2, -1, 0, 1, 100]
KINDS = [
    TensorProto.FLOAT,
    *(TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16),
    *(TensorProto.INT32, TensorProto.INT64, TensorProto.UINT32, TensorProto.UINT64),
    *(TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16),
]


def made(folder: Path, kind: ElementType, data: bytes, *, raw: bool = False) -> bytes:
    """Return the bytes of the tensor that a file becomes."""
    (folder / "in").write_bytes(data)
    table = Tensor(type=kind, array=StoredArray(source="a", raw=raw))
    job = Job(
        inputs={"array": folder / "in"},
        outputs={"tensor": folder / "out"},
        parameters={"dims": list(DIMS), "tensor": msgspec.to_builtins(table)},
        scratch=folder,
        unkeyed={"name": "tensor.x"},
    )
    make_tensor(job)
    return (folder / "out").read_bytes()


def refused(folder: Path, data: bytes, kind: ElementType = "f32", *, raw: bool = False) -> str:
    with pytest.raises(PipelineError) as caught:
        made(folder, kind, data, raw=raw)
    assert caught.value.code is Code.TENSOR
    return caught.value.render()


@pytest.mark.parametrize("kind", KINDS, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("raw", [True, False], ids=["raw data", "repeated field"])
def test_a_tensor_proto_is_read_as_onnx_reads_it(tmp_path: Path, kind: int, raw: bool) -> None:
    unsigned = kind in (2, 4, 9, 12, 13)
    values = numpy.array([value % 2 if unsigned else value for value in VALUES])
    array = values.astype(helper.tensor_dtype_to_np_dtype(kind)).reshape(DIMS)
    held = array.tobytes() if raw else array.flatten()
    proto = helper.make_tensor("x", kind, DIMS, held, raw=raw)
    assert (numpy_helper.to_array(proto).astype(numpy.float64) == values.reshape(DIMS)).all()
    (tmp_path / "input_0.pb").write_bytes(proto.SerializeToString())
    found = read_array(tmp_path / "input_0.pb", StoredArray(source="a"), DIMS, "x")
    assert found.tolist() == values.reshape(DIMS).tolist()


def test_large_whole_numbers_stay_the_same(tmp_path: Path) -> None:
    ids = [2**62 + 1, -(2**63), 2**63 - 1, 0, -1, 7]
    proto = helper.make_tensor("x", TensorProto.INT64, DIMS, ids)
    assert made(tmp_path, "i64", proto.SerializeToString()) == struct.pack("<6q", *ids)


def int32(*values: int) -> TensorProto:
    proto = TensorProto(data_type=TensorProto.UINT8, dims=DIMS)
    proto.int32_data.extend(values)
    return proto


def elsewhere() -> TensorProto:
    proto = numpy_helper.from_array(numpy.zeros(DIMS, numpy.float32))
    proto.ClearField("raw_data")
    proto.data_location = TensorProto.EXTERNAL
    proto.external_data.add(key="location", value="/etc/passwd")
    return proto


def twice() -> TensorProto:
    proto = numpy_helper.from_array(numpy.zeros(DIMS, numpy.float32))
    proto.float_data.extend([1.0] * 6)
    return proto


ZEROS = numpy.zeros(DIMS, numpy.float32)


@pytest.mark.parametrize(
    ("proto", "reason"),
    [
        (numpy_helper.from_array(ZEROS.T), "shape 3x2"),
        (numpy_helper.from_array(numpy.array(1, numpy.float32)), "shape a scalar"),
        (TensorProto(data_type=8, dims=DIMS, string_data=[b"a"] * 6), "its data_type is 8"),
        (TensorProto(data_type=14, dims=DIMS, float_data=[1.0] * 12), "its data_type is 14"),
        (TensorProto(data_type=1, dims=DIMS, raw_data=bytes(20)), "with 5 values"),
        (TensorProto(data_type=1, dims=DIMS, raw_data=bytes(23)), "23 bytes of float32"),
        (TensorProto(data_type=1, dims=DIMS, int32_data=[1] * 6), "values in field 5"),
        (int32(1, 2, 3, 4, 5, 256), "beyond uint8"),
        (int32(1, 2, 3, 4, 5, -1), "beyond uint8"),
        (elsewhere(), "in another file"),
        (twice(), "raw and other values"),
        (numpy_helper.from_array(ZEROS + numpy.float32("nan")), "NaN or infinite"),
        (TensorProto(data_type=1, dims=DIMS, doc_string="a" * 70_000), "too large"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_tensor_proto_that_does_not_fit_is_one_error(
    tmp_path: Path, proto: onnx.TensorProto, reason: str
) -> None:
    assert reason in refused(tmp_path, proto.SerializeToString())


@pytest.mark.parametrize("kind", ELEMENT_TYPES)
def test_raw_elements_are_taken_as_they_are(tmp_path: Path, kind: ElementType) -> None:
    data = {
        "f16": numpy.array(VALUES, "<f2").tobytes(),
        "bf16": (numpy.array(VALUES, "<f4").view("<u4") >> 16).astype("<u2").tobytes(),
        "u8": bytes([0, 1, 2, 253, 254, 255]),
    }.get(kind) or numpy.array(VALUES, ELEMENT_TYPES[kind].dtype).tobytes()
    assert made(tmp_path, kind, data, raw=True) == data
    shown = refused(tmp_path, data[:-1], kind, raw=True)
    assert f"{len(data)} bytes, of 2x3 {kind}" in shown
    assert f"{len(data) - 1} bytes" in shown
    assert "another size" in refused(tmp_path, data + b"\0", kind, raw=True)


def test_raw_elements_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    data = numpy.array([0, 1, 2, numpy.inf, 4, 5], "<f4").tobytes()
    assert "inf at [1, 0]" in refused(tmp_path, data, raw=True)


def test_raw_elements_are_not_guessed_and_the_key_is_named(tmp_path: Path) -> None:
    assert "raw = true" in refused(tmp_path, bytes(24))


def test_a_raw_array_has_no_members() -> None:
    table = Tensor(type="f32", array=StoredArray(source="a", raw=True, member="x"))
    assert [found.path for found in check_tensor(table, DIMS, "x")] == [("array", "member")]
