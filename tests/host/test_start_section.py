"""Modules whose start section does the work, or a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from pipeline.errors import Code, PipelineError
from pipeline.host.host import Host, NamedGraph, Outcome
from pipeline.host.sandbox.start_section import export_start, has_start_section
from tests.host.conftest import Ir
from tests.host.script import write_guest

MEMORY = '(memory (export "memory") 1)'
WORK = (
    '(import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))'
    '(import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))'
    f'{MEMORY} (data (i32.const 64) "add") (data (i32.const 80) "loaded\\0a") '
    '(data (i32.const 88) "main\\0a")'
    "(func $print (param i32 i32) (i32.store (i32.const 0) (local.get 0))"
    "(i32.store (i32.const 4) (local.get 1))"
    "(if (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24)) (then unreachable)))"
    "(func $s (if (call $load (i32.const 64) (i32.const 3) (i32.const 16)) (then unreachable))"
    "(call $print (i32.const 80) (i32.const 7)))"
)
MAIN = '(func (export "_start") (call $print (i32.const 88) (i32.const 5)))'


def run(folder: Path, text: str, models: dict[str, Ir]) -> Outcome:
    graphs = [NamedGraph("add", models["add"].folder)]
    with Host() as host:
        return host.run(write_guest(folder, f"(module {text})"), graphs=graphs, capture=1000)


@pytest.mark.parametrize(
    ("more", "stdout"),
    [
        ("(start $s)", b"loaded\n"),
        (f"(start $s) {MAIN}", b"loaded\nmain\n"),
        # The names that the host gives to the function are taken.
        (f'(start $s) {MAIN} (export "start section" (func $s))', b"loaded\nmain\n"),
    ],
)
def test_a_start_section_prints_and_loads(
    tmp_path: Path, models: dict[str, Ir], more: str, stdout: bytes
) -> None:
    outcome = run(tmp_path, WORK + more, models)
    assert (outcome.exit_code, outcome.stdout) == (0, stdout), outcome.messages


def test_it_may_exit_before_the_guest_begins(tmp_path: Path, models: dict[str, Ir]) -> None:
    text = (
        '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
        f"{MEMORY} (func $s (call $exit (i32.const 7))) (start $s)"
        '(func (export "_start") unreachable)'
    )
    assert run(tmp_path, text, models).exit_code == 7


def test_it_may_be_an_import(tmp_path: Path, models: dict[str, Ir]) -> None:
    text = (
        '(import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))'
        f'{MEMORY} (func $s (drop (call $yield))) (start $s) (func (export "_start"))'
    )
    assert run(tmp_path, text, models).exit_code == 0


def test_a_guest_with_neither_is_told_how_to_have_one(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    with pytest.raises(PipelineError) as caught:
        run(tmp_path, MEMORY, models)
    assert caught.value.code is Code.GUEST_BUILD
    assert "--exportStart _start" in caught.value.hint


MODULES = [
    "(func $s) (start $s)",
    '(func $s) (start $s) (memory 1) (data (i32.const 0) "x")',
    '(func $s) (start $s) (table 1 funcref) (elem (i32.const 0) $s) (export "f" (func $s))',
    '(func $s) (start $s) (memory (export "m") 1) (export "start section" (func 0))',
    '(func $s) (start $s) (memory (data "x")) (func (drop (i32.const 0)) (data.drop 0))',
]


@pytest.mark.parametrize("text", MODULES)
def test_a_module_without_its_start_section_is_valid_and_has_all_else(text: str) -> None:
    engine = wasmtime.Engine()
    wasm = bytes(wasmtime.wat2wasm(f"(module {text})"))
    assert has_start_section(wasm)
    made, name = export_start(wasm)
    assert not has_start_section(made)
    before = [each.name for each in wasmtime.Module(engine, wasm).exports]
    assert [each.name for each in wasmtime.Module(engine, made).exports] == [*before, name]


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\xff", b"\0" + b"\x80" * 9, b"\x01\x7f"])
def test_bytes_that_are_no_module_have_none(data: bytes) -> None:
    assert not has_start_section(b"\0asm\1\0\0\0" + data)
