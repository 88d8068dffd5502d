"""Quiet and verbose, of `doit` and of the commands of `wasi-nn` that tell how far they are."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.fork_server import wasi_nn
from tests.terminal import Terminal
from tests.tiny import ROOT, Project, write_model

WASI_NN = [sys.executable, "-m", "pipeline.cli.main"]


def test_a_quiet_run_says_nothing_unless_it_fails(project: Project) -> None:
    assert project.doit("-q").output == ""
    (project.folder / "tiny.xml").unlink()
    assert project.doit("-v", "0").output == ""
    assert (project.folder / "tiny.xml").exists()
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    run = project.doit("-q")
    assert run.returncode == 1
    assert "verify:tiny.red FAILED" in run.output.splitlines()[0]
    assert "error[verify]" in run.output
    assert run.output.splitlines()[-1].endswith("1 failed, 1 not run")


def test_a_verbose_run_tells_which_steps_are_up_to_date(project: Project) -> None:
    (project.folder / "tiny.xml").unlink()
    said = project.doit("-v", "2").output
    assert "ir:tiny: started: onnx to OpenVINO IR, f32" in said
    assert "source:tiny.red is up to date" in said


def test_help_tells_of_both(project: Project) -> None:
    said = " ".join(project.doit("help", "run").output.split())
    assert "-q, --quiet show failures only" in said
    assert "2: also show each step's output" in said


def test_a_quiet_conversion_says_nothing_and_a_verbose_one_what_it_does(tmp_path: Path) -> None:
    write_model(tmp_path / "net.onnx")
    done = wasi_nn("convert", "net.onnx", "-o", "out", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "out/net.xml").exists()
    done = wasi_nn("convert", "net.onnx", "-o", "out", "-v", cwd=tmp_path)
    assert done.stderr == ("onnx to OpenVINO IR, f32\nchecking the IR against onnxruntime\n")
    assert "canonical digest" in done.stdout
    done = wasi_nn("convert", "net.onnx", "-o", "out", "-q", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["framework"] == "onnx"
    missing = wasi_nn("convert", "gone.onnx", "-o", "out", "-q", cwd=tmp_path)
    assert missing.returncode == 1
    assert missing.stderr.startswith("error[")


def test_a_conversion_is_seen_on_a_terminal(tmp_path: Path) -> None:
    write_model(tmp_path / "net.onnx")
    terminal = Terminal(
        [*WASI_NN, "convert", "net.onnx", "-o", "out"],
        columns=80,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    terminal.until(lambda screen: any("onnx to OpenVINO IR, f32" in line for line in screen))
    assert terminal.end() == 0
    assert terminal.screen[0] == "out/net.xml and .bin, from onnx, weights in f32"


def test_quiet_conformance_shows_the_sum_and_what_does_not_conform(tmp_path: Path) -> None:
    done = wasi_nn("conformance", "-q", "--case", "load-infer", cwd=tmp_path)
    assert done.stdout.split(": ")[-1] == (
        "1 conforms, 0 another answer, 0 not offered, 0 differs, 0 unsafe\n"
    )
    assert "load-infer" not in done.stdout
    program = f"'{sys.executable}' -c 'raise SystemExit(9)' {{wasm}}"
    other = wasi_nn("conformance", "-q", "--case", "load-infer", "--host", program, cwd=tmp_path)
    assert "load-infer" in other.stdout


def test_quiet_validation_shows_what_is_invalid(project: Project) -> None:
    folder = str(project.folder)
    copy = project.root / "copies" / "tiny"
    shutil.copytree(project.folder, copy)
    assert wasi_nn("validate", "--no-run", "-q", folder, cwd=project.root).stdout == ""
    (copy / "tiny.bin").write_bytes(b"other")
    done = wasi_nn("validate", "--no-run", "-q", folder, str(copy), cwd=project.root)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{copy}: invalid")
    assert f"{folder}: " not in done.stdout.replace(str(copy), "")
