"""Channels are found wherever they are, or asked for, and never taken for rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import openvino
import pytest
from onnx import TensorProto, helper, save

from pipeline.model.convert.programs.channel_layout import channel_layout
from tests.fork_server import wasi_nn


def write_identity(folder: Path, *shape: int) -> Path:
    """Write a network that returns its input, so that its IR shows what was done to it."""
    kind = TensorProto.FLOAT
    zero = helper.make_tensor("zero", kind, [1], [0.0])
    graph = helper.make_graph(
        [helper.make_node("Add", ["image", "zero"], ["same"])],
        "identity",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("same", kind, shape)],
        [zero],
    )
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "net.onnx",
    )
    return folder


def infer(folder: Path, array: Any) -> Any:
    network = openvino.Core().compile_model(folder / "out/net.xml", "CPU")
    return network(array)[0]


ORDERS = [("NHWC", 3), ("NCHW", 1), ("HWC", 2), ("CHW", 0), ("NCW", 1), ("NDHWC", 4), ("NC", 1)]


@pytest.mark.parametrize(("order", "axis"), ORDERS)
@pytest.mark.parametrize("named", [False, True])
def test_channels_are_reversed_and_nothing_else(
    tmp_path: Path, order: str, axis: int, named: bool
) -> None:
    sizes = {"N": 1, "C": 3, "D": 2, "H": 8, "W": 12}
    shape = [sizes[letter] for letter in order]
    write_identity(tmp_path, *shape)
    more = ["--input", f"image[{','.join(map(str, shape))}]"] if named else []
    more += ["--reverse-channels", "--mean", "1,2,3", "--scale", "4,2,1"]
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--no-check", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    array = numpy.arange(numpy.prod(shape), dtype=numpy.float32).reshape(shape)
    along = [-1 if each == axis else 1 for each in range(len(shape))]
    mean, scale = (
        numpy.array(each, numpy.float32).reshape(along) for each in ([1, 2, 3], [4, 2, 1])
    )
    assert (infer(tmp_path, array) == (numpy.flip(array, axis) - mean) / scale).all()


@pytest.mark.parametrize(
    ("shape", "arguments", "said"),
    [
        ("1,1,8,12", "--reverse-channels", "no axis of 3 channels"),
        ("1,8,12,4", "--mean 1,2,3", "no axis of 3 channels"),
        ("1,3,8,3", "--reverse-channels", "may be those of NCHW or NHWC"),
        ("3,8,3", "--mean 1,2,3", "may be those of CHW or HWC"),
        ("3,8,8,4", "--reverse-channels", "no axis of 3 channels"),
        ("1,3,8,3", "--layout NHW --reverse-channels", "not an order of axes"),
        ("1,3,8,3", "--layout NHWC", "--layout applies to"),
        ("1,3,8,3", "--layout CHW --reverse-channels", "layout"),
        ("1,3,8,4", "--layout NHWC --reverse-channels", "three channels"),
        ("1,3,8,4", "--layout NHWC --mean 1,2,3", "3 values for 4 channels"),
        ("1,3,8,8", "--reverse-channels --mean 1,2", "2 values for 3 channels"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_what_has_no_such_channels_is_refused(
    tmp_path: Path, shape: str, arguments: str, said: str, named: bool
) -> None:
    write_identity(tmp_path, *map(int, shape.split(",")))
    more = ["--input", f"image[{shape}]"] if named else []
    done = wasi_nn(
        "convert", "net.onnx", "-o", "out", "--no-check", *more, *arguments.split(), cwd=tmp_path
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", [False, True])
def test_an_order_that_fits_twice_is_taken_as_given(tmp_path: Path, named: bool) -> None:
    write_identity(tmp_path, 1, 3, 8, 3)
    more = ["--input", "image[1,3,8,3]"] if named else []
    more += ["--layout", "NHWC", "--reverse-channels"]
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--no-check", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    array = numpy.arange(72, dtype=numpy.float32).reshape(1, 3, 8, 3)
    assert (infer(tmp_path, array) == array[..., ::-1]).all()


@pytest.mark.parametrize("shape", ["1,8,12,3", "1,4,8,8", "6"])
@pytest.mark.parametrize("named", [False, True])
def test_one_value_is_for_all_channels(tmp_path: Path, shape: str, named: bool) -> None:
    sizes = [int(size) for size in shape.split(",")]
    write_identity(tmp_path, *sizes)
    more = ["--input", f"image[{shape}]"] if named else []
    more += ["--mean", "3", "--scale", "2"]
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--no-check", *more, cwd=tmp_path)
    if named and len(sizes) == 1:
        assert "no channels" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    array = numpy.arange(numpy.prod(sizes), dtype=numpy.float32).reshape(sizes)
    assert (infer(tmp_path, array) == (array - 3) / 2).all()


def test_a_batch_of_three_is_no_colour() -> None:
    assert channel_layout([3, 8, 8, 3], 3) == "NHWC"
    with pytest.raises(ValueError, match="no axis of 3"):
        channel_layout([3, 8], 3)


def write_weights(folder: Path, values: list[float], kind: int = TensorProto.FLOAT) -> None:
    array = numpy.array(values, helper.tensor_dtype_to_np_dtype(kind)).reshape(-1, 1)
    weights = helper.make_tensor("w", kind, array.shape, array.tobytes(), raw=True)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "weights",
        [helper.make_tensor_value_info("x", kind, [1, len(values)])],
        [helper.make_tensor_value_info("y", kind, [1, 1])],
        [weights],
    )
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
        folder / "net.onnx",
    )


def test_weights_that_f16_clamps_are_told_with_their_layer(tmp_path: Path) -> None:
    write_weights(tmp_path, [1e6, -3.4e35, *[0.5] * 62])
    more = ["--precision", "f16", "--no-check"]
    done = wasi_nn("convert", "net.onnx", "-o", "out", *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning: 2 of 64 weights of y are beyond f16" in done.stderr
    assert "weights in f16" in done.stdout
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--no-check", cwd=tmp_path)
    assert (done.stderr, "weights in f32" in done.stdout) == ("", True)


def test_what_the_bin_holds_is_said_for_a_model_in_f16(tmp_path: Path) -> None:
    write_weights(tmp_path, [0.5, *range(63)], TensorProto.FLOAT16)
    done = wasi_nn("convert", "net.onnx", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/net.bin").stat().st_size == 128
    assert "weights in f16" in done.stdout
