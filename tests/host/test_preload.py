"""Modules that a guest imports from: instances of their own, with wasi-nn and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.host.host import Host
from tests import fork_server
from tests.host.script import write_guest

EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
COMPUTE = '(import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))'
MEMORY = '(memory (export "memory") 1)'


def guest(folder: Path, *imports: str, body: str) -> Path:
    text = f'(module {" ".join(imports)} {EXIT} {MEMORY} (func (export "_start") {body}))'
    return write_guest(folder, text)


def module(folder: Path, name: str, text: str) -> Path:
    return write_guest(folder, f"(module {text})", f"{name}.wasm")


def test_a_guest_calls_modules_that_import_from_each_other(tmp_path: Path) -> None:
    one = module(tmp_path, "one", f'{MEMORY} (func (export "number") (result i32) (i32.const 40))')
    two = module(
        tmp_path,
        "two",
        f'(import "one" "number" (func $number (result i32))) {COMPUTE} {MEMORY}'
        '(func (export "sum") (result i32) (i32.add (call $number) (call $compute (i32.const 5))))',
    )
    wasm = guest(
        tmp_path,
        '(import "two" "sum" (func $sum (result i32)))',
        body="(call $exit (call $sum))",
    )
    words = ("run", "--preload", f"one={one}", "--preload", f"two={two}", wasm)
    done = fork_server.wasi_nn(*words, cwd=tmp_path)
    # An unknown context is errno 1.
    assert done.returncode == 41, done.stderr
    with Host() as host:
        assert host.run(wasm, preloads={"one": one, "two": two}).exit_code == 41
        # In this order two has nothing to import from.
        with pytest.raises(PipelineError, match="unknown imports"):
            host.run(wasm, preloads={"two": two, "one": one})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a", '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))', "proc_exit"),
        ("a", '(import "other" "f" (func))', "other.f"),
        ("a", "(memory 65536)", "exceeds memory limits"),
        ("a", "(func $start unreachable) (start $start)", "unreachable"),
        ("a", "(memory 1) (func $start (loop br 0)) (start $start)", "time limit"),
        ("wasi_ephemeral_nn", "", "a name of its own"),
        ("wasi_snapshot_preview1", "", "a name of its own"),
    ],
)
def test_a_module_is_as_confined_as_the_guest(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    wasm = guest(tmp_path, body="(call $exit (i32.const 0))")
    preloads = {name: module(tmp_path, "a", text)}
    seconds = 0.5 if "loop" in text else 600
    with Host() as host, pytest.raises(PipelineError) as caught:
        host.run(wasm, preloads=preloads, memory=1 << 20, seconds=seconds)
    assert said in caught.value.render()


def test_a_preload_is_named(tmp_path: Path) -> None:
    wasm = guest(tmp_path, body="(call $exit (i32.const 0))")
    for word in ("a", "=a.wasm", "a="):
        done = fork_server.wasi_nn("run", "--preload", word, wasm, cwd=tmp_path)
        assert done.returncode == 2
        assert "is not NAME=FILE" in done.stderr
    done = fork_server.wasi_nn("run", "--preload", "a=missing.wasm", wasm, cwd=tmp_path)
    assert done.returncode == 1
    assert "Cannot read the guest." in done.stderr
