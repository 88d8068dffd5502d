"""A case in ONNX's layout: what is written is what ONNX's own reader reads."""

from __future__ import annotations

from pathlib import Path

import numpy
import onnx
import pytest
from onnx import numpy_helper

from pipeline.model.convert.request import Port
from pipeline.verify.onnx_data_set import write_data_set

KINDS = ("float16", "float32", "float64", "uint8", "int32", "int64")
OURS = {"float16": "f16", "float32": "f32", "float64": "f64", "uint8": "u8"}


def port(name: str, array: numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.generic]]) -> Port:
    kind = OURS.get(str(array.dtype), str(array.dtype).replace("int", "i"))
    return Port(name=name, names=(name,), shape=array.shape, type=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_reads_what_is_written(tmp_path: Path, kind: str) -> None:
    arrays = {
        "a name, ümlaut": numpy.arange(300, dtype=kind).reshape(1, 3, 100),
        "scalar": numpy.array(7, dtype=kind),
    }
    given = []
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(array.tobytes())
        given.append((port(name, array), tmp_path / name))
    write_data_set(tmp_path, given, given[:1])
    folder = tmp_path / "test_data_set_0"
    assert sorted(path.name for path in folder.iterdir()) == [
        "input_0.pb",
        "input_1.pb",
        "output_0.pb",
    ]
    for index, (name, array) in enumerate(arrays.items()):
        read = onnx.TensorProto.FromString((folder / f"input_{index}.pb").read_bytes())
        found = numpy_helper.to_array(read)
        assert read.name == name
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert (found == array).all()
    assert (folder / "output_0.pb").read_bytes() == (folder / "input_0.pb").read_bytes()
