"""A detector becomes a fixture whose boxes are expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.cli.new.found_boxes import found_boxes
from tests.cli.new.test_new import build, came_out, drafted, save
from tests.tiny import Project
from tests.verify.test_expected_boxes import SIZE, grid


def write_detector(path: Path) -> None:
    """Write a YOLO model whose score of one box is the red of the picture, 0 to 1."""
    rows = grid((4, 4, 4, 4, 2, 1.0), (1, 1, 2, 2, 1, 0.35))["output0"]
    still = numpy.where(numpy.arange(rows.size).reshape(rows.shape) == 6 * 400, 0, rows)
    moving = (rows - still).astype(numpy.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["images", "zero", "one", "one"], ["red"]),
            helper.make_node("ReduceMean", ["red"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "two"], ["share"]),
            helper.make_node("Mul", ["share", "moving"], ["score"]),
            helper.make_node("Add", ["score", "still"], ["output0"]),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, rows.shape)],
        [
            numpy_helper.from_array(still.astype(numpy.float32), "still"),
            numpy_helper.from_array(moving, "moving"),
            numpy_helper.from_array(numpy.array([0], numpy.int64), "zero"),
            numpy_helper.from_array(numpy.array([1], numpy.int64), "one"),
            numpy_helper.from_array(numpy.array([2], numpy.int64), "two"),
        ],
    )
    save(graph, path)


def test_its_clear_boxes_are_expected(project: Project) -> None:
    root = project.root
    write_detector(root / "detector.onnx")
    config: dict[str, Any] = drafted(
        *(root, "detector", "detector.onnx", "--image", "red.png", "--values", "unit"),
        *("--precision", "f32", "--precision", "int8"),
    )
    # What int8 does to a score is not known.
    assert config["variant"]["int8"]["expect"]["red"] == {"golden_only": True}
    expected = config["expect"]["red"]["detections"]
    assert expected["boxes"] == [{"box": [0.25, 0.25, 0.75, 0.75], "index": 2}]
    # In the middle between 0.98, which is red, and 0.35.
    assert 0.6 < expected["score"] < 0.7
    build(project, "detector")
    assert came_out(project, "detector", "red")["expected"] == "the box is the declared one"
    # Of blue there is no box, and another picture is another case.
    config = drafted(root, "nothing", "detector.onnx", "--image", "blue.png", "--values", "unit")
    assert config["expect"]["blue"] == {"golden_only": True}


@pytest.mark.parametrize("scores", [(0.5, 0.45, 0.42, 0.36), (0.35, 0.34)])
def test_boxes_of_much_the_same_score_are_not_clear(scores: tuple[float, ...]) -> None:
    boxes = [(10 + 40 * at, 20, 20, 20, 1, score) for at, score in enumerate(scores)]
    assert found_boxes(grid(*boxes), SIZE) is None


def test_what_is_no_detector_has_no_boxes() -> None:
    assert found_boxes({"prob": numpy.zeros((1, 10), numpy.float32)}, SIZE) is None
