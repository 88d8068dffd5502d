"""What `wasi-nn convert` says and does after it compared the IR with the source model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.cli import convert_check
from pipeline.cli.main import main
from tests.fork_server import wasi_nn
from tests.tiny import write_model


def write_large(folder: Path) -> Path:
    """Write a model whose second product has weights beyond f16."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "v"], ["small"]),
            helper.make_node("MatMul", ["x", "w"], ["large"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in OUTPUTS],
        [numpy_helper.from_array(array, name) for name, array in (("v", WEIGHTS), ("w", LARGE))],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "net.onnx")
    return folder


OUTPUTS = ("small", "large")
WEIGHTS = numpy.linspace(0.01, 1, 64, dtype=numpy.float32).reshape(32, 2)
# Were most weights beyond f16, OpenVINO would keep all in f32.
LARGE = numpy.concatenate([WEIGHTS[:31], numpy.full((1, 2), 1e6, numpy.float32)])
COMMAND = ["convert", "net.onnx", "-o", "out", "--precision", "f16"]


def test_an_ir_that_disagrees_is_not_written_and_its_output_is_named(tmp_path: Path) -> None:
    done = wasi_nn(*COMMAND, cwd=write_large(tmp_path))
    assert done.returncode == 1
    assert "error[verify]: Output large of the IR disagrees with onnxruntime" in done.stderr
    assert "--keep" in done.stderr
    assert not (tmp_path / "out").exists()


def test_keep_writes_it_and_warns(tmp_path: Path) -> None:
    done = wasi_nn(*COMMAND, "--keep", "--json", cwd=write_large(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "warning: Output large of the IR disagrees" in done.stderr
    found = json.loads(done.stdout)["check"]
    assert (found["executor"], found["agrees"]) == ("onnxruntime", False)
    assert [found["outputs"][name]["agrees"] for name in OUTPUTS] == [True, False]
    assert (tmp_path / "out/net.xml").exists()


def test_without_the_check_nothing_is_compared(tmp_path: Path) -> None:
    done = wasi_nn(*COMMAND, "--no-check", cwd=write_large(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "onnxruntime" not in done.stdout
    assert (tmp_path / "out/net.xml").exists()


def test_an_ir_that_agrees_tells_what_the_check_costs(tmp_path: Path) -> None:
    write_model(tmp_path / "net.onnx")
    done = wasi_nn("convert", "net.onnx", "-o", "out", "--mean", "1,2,3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [said] = [line for line in done.stdout.splitlines() if line.startswith("agrees with onnxr")]
    assert "s; --no-check omits this)" in said


def test_a_missing_executor_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(convert_check, "_python", lambda *_: None)
    assert main(["convert", "net.onnx", "-o", "out"]) == 0
    said = capsys.readouterr().out
    assert "not checked against the source model: onnxruntime is not installed here" in said
