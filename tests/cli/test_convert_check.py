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
from tests.verify.test_check_conversion import write_dynamic_range


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


UNCHECKED = "warning: not checked against the source model: "


@pytest.mark.parametrize("options", [[], ["--quiet"], ["--json"]], ids=["text", "quiet", "json"])
def test_a_missing_executor_is_a_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    write_model(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(convert_check, "_python", lambda *_: None)
    assert main(["convert", "net.onnx", "-o", "out", *options]) == 0
    said = capsys.readouterr()
    assert said.err == f"{UNCHECKED}onnxruntime is not installed here\n"
    assert "not checked" not in said.out
    if options == ["--json"]:
        assert json.loads(said.out)["check"]["skipped"] == "onnxruntime is not installed here"
    assert (tmp_path / "out/net.xml").exists()


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["text", "quiet"])
@pytest.mark.parametrize(
    ("seconds", "kept", "code"),
    [(0.001, "litert: ", "time-limit"), (600.0, "litert crashed", "worker")],
    ids=["its time limit", "an executor that crashes"],
)
def test_a_check_that_fails_to_run_is_an_error_unless_the_ir_is_to_be_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    kept: str,
    code: str,
    quiet: list[str],
) -> None:
    write_dynamic_range(tmp_path / "net.tflite")
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(convert_check, "_python", lambda *_: crashing)
    monkeypatch.setattr(convert_check, "_SECONDS", seconds)
    command = ["convert", "net.tflite", "-o", "out", *quiet]
    assert main(command) == 1
    said = capsys.readouterr()
    assert f"error[{code}]: The check of the IR against litert failed to run: " in said.err
    assert "--no-check omits the check; --keep writes the IR nevertheless." in said.err
    assert not (tmp_path / "out").exists()

    assert main([*command, "--keep"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith(f"{UNCHECKED}litert: ")
    assert kept in said.err
    assert "not checked" not in said.out
    assert (tmp_path / "out/net.xml").exists()
