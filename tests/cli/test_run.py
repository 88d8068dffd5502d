"""`wasi-nn run` as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fork_server
from tests.fork_server import Finished
from tests.host.conftest import Ir, models  # noqa: F401 - a fixture of both rooms
from tests.host.script import Script, write_guest
from tests.host.test_model_formats import onnx_model

ROOT = Path(__file__).parents[2]
EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli.main", "run", *map(str, arguments)]


def wasi_nn(*arguments: str | Path, cwd: Path) -> Finished:
    return fork_server.wasi_nn("run", *arguments, cwd=cwd)


def guest(folder: Path, body: str, imports: str = EXIT) -> Path:
    return write_guest(
        folder,
        f'(module {imports} (memory (export "memory") 1) (func (export "_start") {body}))',
    )


@pytest.mark.parametrize(("code", "shown"), [(0, 0), (3, 3), (126, 126), (200, 200), (256, 255)])
def test_the_exit_code_is_the_guests(tmp_path: Path, code: int, shown: int) -> None:
    done = wasi_nn(guest(tmp_path, f"(call $exit (i32.const {code}))"), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (shown, "")


def test_an_error_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = wasi_nn("missing.wasm", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error[usage]: Cannot read the guest.")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--dir", "a::b::c"),
        ("--dir", ""),
        ("--mapdir", "a"),
        ("--seconds", "-1"),
        ("--seconds", "soon"),
        ("--memory", "lots"),
        ("--tensor-type-abi", "2021"),
        ("--hint", "cheapness"),
        ("--threads", "0"),
    ],
)
def test_a_wrong_option_shows_the_usage(tmp_path: Path, options: tuple[str, str]) -> None:
    done = wasi_nn(*options, "guest.wasm", cwd=tmp_path)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("spelling", [("--dir", "here::in"), ("--mapdir", "in::here")])
@pytest.mark.parametrize("suffix", ["", "::rw"])
def test_both_spellings_of_a_folder(tmp_path: Path, spelling: tuple[str, str], suffix: str) -> None:
    (tmp_path / "here").mkdir()
    imports = EXIT + (
        '(import "wasi_snapshot_preview1" "path_create_directory" '
        "(func $make (param i32 i32 i32) (result i32)))"
    )
    body = (
        "(i32.store8 (i32.const 0) (i32.const 110)) "
        "(call $exit (call $make (i32.const 3) (i32.const 0) (i32.const 1)))"
    )
    option, folder = spelling
    done = wasi_nn(option, folder + suffix, guest(tmp_path, body, imports), cwd=tmp_path)
    assert (done.returncode == 0) == (suffix == "::rw"), done.stderr
    assert (tmp_path / "here" / "n").is_dir() == (suffix == "::rw")


def test_arguments_after_the_dashes_are_the_guests(tmp_path: Path) -> None:
    imports = EXIT + (
        '(import "wasi_snapshot_preview1" "args_sizes_get" '
        "(func $sizes (param i32 i32) (result i32)))"
    )
    body = "(drop (call $sizes (i32.const 0) (i32.const 4))) (call $exit (i32.load (i32.const 0)))"
    done = wasi_nn(
        "--seconds", "30", guest(tmp_path, body, imports), "--", "a", "--dir", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr


def test_a_named_graph_and_a_trace(tmp_path: Path, models: dict[str, Ir]) -> None:  # noqa: F811 - a fixture
    script = Script()
    script.call("load_by_name", script.put(b"net"), 3, script.room())
    script.call("load_by_name", script.put(b"nut"), 3, script.room())
    done = subprocess.run(
        command(
            *("--graph", f"net={models['add'].folder}", "--trace"),
            write_guest(tmp_path, script.wat()),
        ),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0
    lines = [line.removeprefix("wasi-nn: ") for line in done.stderr.decode().splitlines()]
    assert [line.partition("(")[0] for line in lines[::2]] == ["load_by_name"] * 2
    assert "no graph named 'nut'; available: 'net'" in lines[1]


def test_openvino_runs_without_its_python_package(
    tmp_path: Path,
    models: dict[str, Ir],  # noqa: F811 - a fixture
) -> None:
    script = Script()
    script.call("load_by_name", script.put(b"net"), 3, script.room())
    wasm = write_guest(tmp_path, script.wat())
    done = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "-m", "pipeline.cli.main", "run"),
            *("--graph", f"net={models['add'].folder}", str(wasm)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pipeline.host.openvino_c.runtime" in imported
    assert not {"openvino", "numpy"} & imported


def test_a_graph_in_an_encoding_under_a_name_and_a_chosen_framework(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "some.onnx").write_bytes(onnx_model())
    script = Script()
    script.call("load_by_name", script.put(b"cat"), 3, script.room())
    wasm = write_guest(tmp_path, script.wat())
    options = ("--hint", "throughput", "--threads", "1", "--model-cache", "cache", "--trace")
    for framework in ("onnxruntime", "openvino"):
        done = subprocess.run(
            command(
                *("--graph", "cat=onnx::net", "--backend", f"onnx={framework}", *options), wasm
            ),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert b"= 0 success" in done.stderr
        # Of the two, OpenVINO alone keeps compiled models.
        assert any((tmp_path / "cache").iterdir()) == (framework == "openvino")


@pytest.mark.parametrize("choice", ["onnx", "onnx=nobody", "nothing=openvino", "ggml=openvino"])
def test_a_choice_of_no_framework_tells_those_there_are(tmp_path: Path, choice: str) -> None:
    done = wasi_nn("--backend", choice, guest(tmp_path, ""), cwd=tmp_path)
    assert done.returncode == 1
    assert "error[usage]" in done.stderr
    assert "onnxruntime" in done.stderr


def test_an_inference_that_hangs_ends_with_the_process(
    tmp_path: Path,
    models: dict[str, Ir],  # noqa: F811 - a fixture
) -> None:
    size = 256 * 256 * 4
    script = Script()
    # The data is whatever the first 256 KiB of the memory hold.
    script.ready(models["endless"].xml, models["endless"].bin)
    dims = script.put(b"\0\1\0\0\0\1\0\0")
    script.call("set_input", 0, 0, script.record(dims, 2, 1, 0, size))
    script.call("compute", 0)
    done = wasi_nn("--seconds", "1", write_guest(tmp_path, script.wat()), cwd=tmp_path)
    assert done.returncode == 1
    assert "error[time-limit]: The guest hangs in a call into the host" in done.stderr
    assert "errno" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_an_interrupt_ends_a_busy_guest_with_130(tmp_path: Path) -> None:
    fd_write = (
        '(import "wasi_snapshot_preview1" "fd_write" '
        "(func $write (param i32 i32 i32 i32) (result i32)))"
    )
    body = (
        "(i32.store8 (i32.const 0) (i32.const 10)) (i32.store (i32.const 12) (i32.const 1)) "
        "(drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))) "
        "(loop br 0)"
    )
    process = subprocess.Popen(
        command(guest(tmp_path, body, fd_write)),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Started from a background shell it would ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == b""


def test_the_help_has_an_example() -> None:
    done = wasi_nn("--help", cwd=ROOT)
    assert done.returncode == 0
    assert "--dir artifacts/squeezenet::fixture" in done.stdout


@pytest.mark.parametrize("fuel", ["-1", "0", "much"])
def test_fuel_is_a_positive_whole_number(tmp_path: Path, fuel: str) -> None:
    done = wasi_nn(f"--fuel={fuel}", "guest.wasm", cwd=tmp_path)
    assert done.returncode == 2
    assert "is not a positive integer" in done.stderr
