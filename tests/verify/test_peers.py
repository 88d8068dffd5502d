"""The Wasmtime CLI as a second host: the same bytes, or one clear error."""

from __future__ import annotations

import importlib.util
import os
import stat
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy
import pytest
import wasmtime

from pipeline.errors import Code, PipelineError
from pipeline.verify.peer_process import PeerRun
from pipeline.verify.peers import run_on_wasmtime, wasmtime_command
from tests.guest.compiling import compile_classify

PRINTING = """
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 65536) "{data}")
  (func $print (param i32)
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const {size}))
    (drop (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 16))))
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const {times}))
    (loop $again
      (call $print (i32.const 1))
      (call $print (i32.const 2))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $exit (i32.const {code}))))
"""
LOOPING = '(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))'


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Path:
    return compile_classify(tmp_path_factory.mktemp("peers") / "built", toolchains).wasm


@pytest.fixture(scope="session")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A fixture with two inputs and two outputs, and what OpenVINO itself computes in f32."""
    import openvino
    from openvino import opset15 as ops

    # The name by which Wasmtime offers a graph is that of its folder.
    folder = tmp_path_factory.mktemp("fixtures") / "mixed"
    folder.mkdir()
    random = numpy.random.default_rng(7)
    data = ops.parameter([4, 256], numpy.float32, name="data")
    steps = ops.parameter([3], numpy.int64, name="steps")
    weights = random.standard_normal((256, 32)).astype(numpy.float32)
    scores = ops.matmul(data, ops.constant(weights), False, False)
    results = [ops.result(scores), ops.result(ops.multiply(steps, ops.constant(numpy.int64(-3))))]
    model = openvino.Model(results, [data, steps], "mixed")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)

    inputs: list[Any] = [
        random.standard_normal((4, 256)).astype(numpy.float32),
        numpy.array([5, -1_000_000, 0], numpy.int64),
    ]
    inputs[0].tofile(folder / "data.raw")
    inputs[1].tofile(folder / "steps.raw")
    (folder / "fixture.txt").write_text(
        "encoding openvino\nfile model.xml\nfile model.bin\ncase only\n"
        "input 0 data.raw f32 4x256\ninput 1 steps.raw i64 3\n"
        "output 0 scores.raw f32 4x32\noutput 1 product.raw i64 3\n"
    )
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    computed = compiled(inputs)
    return folder, [computed[0].copy(), computed[1].copy()]


def run(wasm: Path, folder: Path, *args: str, seconds: float = 60, **more: Path) -> PeerRun:
    out = folder / "out"
    out.mkdir()
    given = more.pop("fixture", out)
    return run_on_wasmtime(wasm, args=args, fixture=given, out=out, seconds=seconds, **more)


def printing(folder: Path, data: bytes, *, times: int = 1, code: int = 0) -> Path:
    text = "".join(f"\\{byte:02x}" for byte in data)
    wasm = folder / "printing.wasm"
    wasm.write_bytes(
        wasmtime.wat2wasm(PRINTING.format(data=text, size=len(data), times=times, code=code))
    )
    return wasm


@pytest.mark.parametrize("way", ["by bytes", "by name"])
def test_the_same_guest_gives_what_openvino_gives_in_f32(
    guest: Path, fixture: tuple[Path, list[Any]], tmp_path: Path, way: str
) -> None:
    folder, (scores, product) = fixture
    if way == "by name":
        ended = run(guest, tmp_path, "--graph", "mixed", fixture=folder, graph=folder)
    else:
        ended = run(guest, tmp_path, "only", fixture=folder)
    assert ended.exit_code == 0, ended.stderr
    theirs = numpy.fromfile(tmp_path / "out" / "scores.raw", numpy.float32)
    # In bf16 they would differ from the third digit on.
    numpy.testing.assert_allclose(theirs, scores.ravel(), rtol=1e-5, atol=1e-4)
    assert (tmp_path / "out" / "product.raw").read_bytes() == product.tobytes()
    best = int(scores.ravel().argmax())
    assert ended.stdout.splitlines()[1].split()[0] == str(best)
    assert "only output 1 i64 3\n  1 3e+06\n  2 0\n  0 -15\n" in ended.stdout


def test_a_guest_that_refuses_is_told_by_itself(guest: Path, tmp_path: Path) -> None:
    ended = run(guest, tmp_path)
    assert ended.exit_code == 1
    assert ended.stderr.startswith("fixture/fixture.txt: cannot be opened")


def test_exit_code_and_both_streams_come_back(tmp_path: Path) -> None:
    assert run(printing(tmp_path, b"hi\n", code=42), tmp_path) == PeerRun(42, "hi\n", "hi\n")


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    ended = run(printing(tmp_path, b"a\xff\xfeb"), tmp_path)
    assert (ended.exit_code, ended.stdout) == (0, "a\ufffd\ufffdb")


def test_a_flood_is_cut_off_at_a_mebibyte(tmp_path: Path) -> None:
    ended = run(printing(tmp_path, b"x" * 4096, times=1000), tmp_path)
    assert ended.exit_code == 0
    assert (len(ended.stdout), len(ended.stderr)) == (2**20, 2**20)


def test_a_guest_that_does_not_end_is_ended(tmp_path: Path) -> None:
    wasm = tmp_path / "looping.wasm"
    wasm.write_bytes(wasmtime.wat2wasm(LOOPING))
    with pytest.raises(PipelineError) as caught:
        run(wasm, tmp_path, seconds=1)
    assert caught.value.code is Code.TIME_LIMIT
    assert caught.value.expected == "at most 1 s"


def test_nothing_is_left_beside_the_outputs(tmp_path: Path) -> None:
    run(printing(tmp_path, b"hi\n"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"printing.wasm", "out"}
    assert list((tmp_path / "out").iterdir()) == []


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    found = importlib.util.find_spec

    def find_spec(name: str) -> ModuleSpec | None:
        return None if name == package else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def script(folder: Path, text: str) -> Path:
    folder.mkdir()
    program = folder / "wasmtime"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


def test_the_command_of_the_package_can_be_executed(tmp_path: Path) -> None:
    command = wasmtime_command(tmp_path)
    assert command.stat().st_mode & stat.S_IXUSR
    assert os.access(command, os.X_OK)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for the command")
def test_a_command_on_the_path_is_taken_where_there_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(tmp_path / "bin", "echo wasmtime 99.0")
    without(monkeypatch, "wasmtime_cli")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert wasmtime_command(tmp_path) == program


@pytest.mark.parametrize("broken", ["exit 126", "echo something else", "exec /no/such/program"])
def test_a_command_that_does_not_run_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    script(tmp_path / "bin", broken)
    without(monkeypatch, "wasmtime_cli")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(PipelineError) as caught:
        wasmtime_command(tmp_path)
    assert caught.value.code is Code.TOOLCHAIN
    assert caught.value.hint == "Install it: pip install 'wasi-nn-pipeline[peers]'"


def test_without_any_command_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "wasmtime_cli")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError) as caught:
        wasmtime_command(tmp_path)
    assert caught.value.code is Code.TOOLCHAIN
    assert caught.value.hint == "Install it: pip install 'wasi-nn-pipeline[peers]'"


def test_without_openvino_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wasm = printing(tmp_path, b"hi\n")
    without(monkeypatch, "openvino")
    with pytest.raises(PipelineError) as caught:
        run(wasm, tmp_path)
    assert caught.value.code is Code.TOOLCHAIN
    assert caught.value.hint == "Install it: pip install openvino"
