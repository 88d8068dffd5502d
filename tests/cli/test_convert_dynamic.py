"""Dynamic sizes are kept as the model has them, or as --input gives them."""

from __future__ import annotations

from pathlib import Path

import openvino
import pytest
from onnx import TensorProto, helper, save

from pipeline.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with a model whose batch and sides are dynamic."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])],
    )
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shape_of(folder: Path, *arguments: str) -> str:
    assert main(["convert", "net.onnx", "-o", "out", "-q", "--no-check", *arguments]) == 0
    return str(openvino.Core().read_model(folder / "out/net.xml").input(0).partial_shape)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ([], "[?,3,?,?]"),
        (["--mean", "1,2,3", "--reverse-channels"], "[?,3,?,?]"),
        (["--input", "x[?,3,32,32]"], "[?,3,32,32]"),
        (["--input", "x[-1,3,32,32]"], "[?,3,32,32]"),
        (["--input", "x[1..8,3,..64,16..]", "--mean", "2"], "[1..8,3,..64,16..]"),
        (["--input", " x [1, 3, 32, 32] "], "[1,3,32,32]"),
        (["--input", "[?, 3, 8, 8]"], "[?,3,8,8]"),
    ],
    ids=" ".join,
)
def test_sizes_are_the_models_or_those_given(
    folder: Path, arguments: list[str], shape: str
) -> None:
    assert shape_of(folder, *arguments) == shape


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x[8..1,3,8,8]", "A range of sizes is empty."),
        ("x[1,3,0,8]", "an axis of size 0"),
        ("x[1,3,,8]", "Invalid --input"),
        ("x[1,3,a,8]", "Invalid --input"),
        ("x[1,3,-2,8]", "Invalid --input"),
        ("x[1..2..3,3,8,8]", "Invalid --input"),
        ("x[]", "Invalid --input"),
        ("x[?,4,8,8]", "not [?,4,8,8]"),
    ],
)
def test_sizes_that_cannot_be_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert main(["convert", "net.onnx", "-o", "out", "--input", text]) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_dynamic_model_is_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "net.onnx", "-o", "out"]) == 0
    assert "agrees with onnxruntime" in capsys.readouterr().out
