"""How large a network is, compared with what can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy
import openvino
from openvino import opset13 as ops

from pipeline.model.inspect.model_statistics import ModelStatistics, model_statistics


def test_layers_and_weights_are_counted_but_no_axes(tmp_path: Path) -> None:
    x = ops.parameter([-1, 3, -1, -1], numpy.float32)
    weights = ops.constant(numpy.ones((8, 3, 3, 3), numpy.float32))
    net = ops.relu(ops.convolution(x, weights, [1, 1], [0, 0], [0, 0], [1, 1]))
    net = ops.relu(ops.transpose(net, ops.constant(numpy.array([0, 2, 3, 1], numpy.int64))))
    openvino.save_model(openvino.Model([net], [x]), tmp_path / "net.xml", compress_to_fp16=False)
    assert model_statistics(tmp_path / "net.xml") == ModelStatistics(
        layers=4,
        kinds={"Relu": 2, "Convolution": 1, "Transpose": 1},
        parameters={"f32": 8 * 3 * 3 * 3},
    )
