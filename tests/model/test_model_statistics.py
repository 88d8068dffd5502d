"""How large a network is, held against what can be counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import openvino
import pytest
from openvino import opset13 as ops

from pipeline.model.convert.request import Interface, Port
from pipeline.model.inspect.model_statistics import ModelStatistics, model_statistics


def surveyed(folder: Path, output: Any, *inputs: Any, shapes: list[list[int]]) -> ModelStatistics:
    model = openvino.Model([output], list(inputs))
    openvino.save_model(model, folder / "net.xml", compress_to_fp16=False)
    ports = tuple(Port(name="", names=(), shape=tuple(shape), type="f32") for shape in shapes)
    return model_statistics(folder / "net.xml", Interface(inputs=ports, outputs=()))


def weights(*shape: int) -> Any:
    return ops.constant(numpy.ones(shape, numpy.float32))


def convolution(x: Any, kernel: Any) -> Any:
    return ops.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1])


def test_a_convolution_multiplies_its_kernel_at_every_place(tmp_path: Path) -> None:
    x = ops.parameter([1, 3, 10, 10], numpy.float32)
    net = ops.relu(convolution(x, weights(8, 3, 3, 3)))
    found = surveyed(tmp_path, net, x, shapes=[[1, 3, 10, 10]])
    assert found.macs == 8 * 8 * 8 * (3 * 3 * 3)
    assert found.parameters == {"f32": 8 * 3 * 3 * 3}
    assert (found.layers, found.kinds) == (2, {"Convolution": 1, "Relu": 1})
    assert found.uncounted == ()


def test_a_depthwise_convolution_sees_one_channel_each(tmp_path: Path) -> None:
    x = ops.parameter([1, 6, 10, 10], numpy.float32)
    net = ops.group_convolution(x, weights(6, 1, 1, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    found = surveyed(tmp_path, net, x, shapes=[[1, 6, 10, 10]])
    assert found.macs == 6 * 10 * 10 * 9


def test_a_transposed_convolution_multiplies_every_input(tmp_path: Path) -> None:
    x = ops.parameter([1, 4, 5, 5], numpy.float32)
    net = ops.convolution_backprop_data(x, weights(4, 2, 2, 2), [2, 2])
    found = surveyed(tmp_path, net, x, shapes=[[1, 4, 5, 5]])
    assert found.macs == 4 * 5 * 5 * 2 * (2 * 2)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_product_is_counted_either_way_round(tmp_path: Path, transposed: bool) -> None:
    shape = [7, 5] if transposed else [5, 7]
    x = ops.parameter(shape, numpy.float32)
    net = ops.matmul(x, weights(7, 11), transposed, False)
    assert surveyed(tmp_path, net, x, shapes=[shape]).macs == 5 * 7 * 11


def test_a_recurrent_network_is_counted_for_every_step(tmp_path: Path) -> None:
    x = ops.parameter([2, 9, 4], numpy.float32)
    net = ops.lstm_sequence(
        x,
        weights(2, 1, 6),
        weights(2, 1, 6),
        ops.constant(numpy.array([9, 9], numpy.int32)),
        weights(1, 24, 4),
        weights(1, 24, 6),
        weights(1, 24),
        6,
        "FORWARD",
    )
    found = surveyed(tmp_path, net.output(0), x, shapes=[[2, 9, 4]])
    assert found.macs == 2 * 9 * (24 * 4 + 24 * 6)


def test_an_open_shape_is_measured_at_that_of_the_fixture(tmp_path: Path) -> None:
    x = ops.parameter([1, 3, -1, -1], numpy.float32)
    net = convolution(x, weights(2, 3, 1, 1))
    assert surveyed(tmp_path, net, x, shapes=[[1, 3, 20, 30]]).macs == 2 * 20 * 30 * 3


def test_what_multiplies_in_ways_that_are_not_counted_is_named(tmp_path: Path) -> None:
    x = ops.parameter([3, 4], numpy.float32)
    net = ops.einsum([x, weights(4, 5)], "ab,bc->ac")
    found = surveyed(tmp_path, net, x, shapes=[[3, 4]])
    assert (found.macs, found.uncounted) == (0, ("Einsum",))
