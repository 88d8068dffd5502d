"""The longest average of an IR, whatever makes it."""

from __future__ import annotations

from pathlib import Path

import numpy
import openvino
import pytest
from openvino import opset13

from pipeline.verify.sums import longest_average


def saved(folder: Path, shape: list[int], build: str) -> Path:
    given = opset13.parameter(shape, numpy.float32)
    if build == "mean":
        made = opset13.reduce_mean(given, numpy.array([2, 3]), True)
    elif build == "pool":
        made = opset13.avg_pool(given, [1, 1], [0, 0], [0, 0], [4, 6], True)
    else:
        made = opset13.relu(given)
    openvino.save_model(openvino.Model([made], [given]), folder / "net.xml")
    return folder / "net.xml"


@pytest.mark.parametrize(("build", "terms"), [("mean", 96), ("pool", 24), ("relu", 1)])
def test_it_is_that_of_the_layers(tmp_path: Path, build: str, terms: int) -> None:
    assert longest_average(saved(tmp_path, [1, 3, 8, 12], build), [(1, 3, 8, 12)]) == terms


def test_open_sizes_are_those_of_the_case(tmp_path: Path) -> None:
    xml = saved(tmp_path, [1, 3, -1, -1], "mean")
    assert longest_average(xml, [(1, 3, 10, 20)]) == 200
