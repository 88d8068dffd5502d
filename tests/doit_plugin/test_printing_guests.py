"""A guest that is built already and keeps to no contract is verified by what it prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import wasmtime

from tests.fork_server import wasi_nn
from tests.tiny import Project

CONFIG = """\
description = "built elsewhere"
language = "wasm"

[file]
urls = ["file:mine.wasm"]
license = "MIT"
"""
# Loads the named graph, whose tensor is zeros, and prints what the data at 256 says.
TEXT = """\
(module
  (import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "tiny")
  (data (i32.const 16) "\\01\\00\\00\\00\\03\\00\\00\\00\\08\\00\\00\\00\\08\\00\\00\\00")
  ;; The tensor: its dimensions at 16, f32, 768 bytes of zeros at 1024.
  (data (i32.const 32) "\\10\\00\\00\\00\\04\\00\\00\\00\\01\\00\\00\\00")
  (data (i32.const 44) "\\00\\04\\00\\00\\00\\03\\00\\00")
  (data (i32.const 64) "\\00\\01\\00\\00\\0c\\00\\00\\00")
  (data (i32.const 256) "hello\\nworld\\n")
  (func $check (param i32) (if (local.get 0) (then (call $exit (i32.const 9)))))
  (func (export "_start")
    (call $check (call $load (i32.const 0) (i32.const 4) (i32.const 80)))
    (call $check (call $init (i32.load (i32.const 80)) (i32.const 84)))
    (call $check (call $set (i32.load (i32.const 84)) (i32.const 0) (i32.const 32)))
    (call $check (call $compute (i32.load (i32.const 84))))
    (call $check (call $write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 88)))
    (call $exit (i32.const 0))))
"""
PRINTED = '[expect.{}]\nstdout = """\nhello\nworld\n"""\n'


@pytest.fixture
def printing(project: Project) -> Project:
    """A project whose fixture runs a guest that prints two lines and writes no file."""
    give(project, TEXT)
    (project.root / "configs/guests/mine.toml").write_text(CONFIG)
    project.edit('program = "classify"', 'program = "mine"\nload = "name"')
    project.edit("[expect.red]\ntop1 = 0\n", PRINTED.format("red"))
    project.edit("[expect.blue]\ntop1 = 2\n", PRINTED.format("blue") + "top1 = 2\n")
    return project


def give(project: Project, text: str) -> None:
    (project.root / "mine.wasm").write_bytes(wasmtime.wat2wasm(text))


def test_it_is_verified_and_validated(printing: Project) -> None:
    run = printing.doit()
    assert run.returncode == 0, run.output
    assert re.search(r"^tiny +red +prints as expected +onnxruntime ", run.output, re.M), run.output
    evidence = json.loads((printing.folder / "evidence/red/report.json").read_text())
    assert (evidence["printed"], evidence["native_equal"]) == (True, False)
    assert evidence["expected"] == "the guest exits with 0, and prints the declared lines"
    assert "Guest prints as expected" in (printing.root / "artifacts/report.html").read_text()
    done = wasi_nn("validate", printing.folder, cwd=printing.root)
    assert done.returncode == 0, done.stdout
    # An edit of its file is noticed, with or without a digest in the config.
    give(printing, TEXT.replace("world", "earth"))
    failed = printing.doit()
    assert failed.returncode == 1
    assert "The guest prints another line 2 than the config expects." in failed.output
    assert "'world'" in failed.output
    assert "'earth'" in failed.output


def test_an_edited_folder_is_not_valid(printing: Project) -> None:
    assert printing.doit().returncode == 0
    manifest = printing.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("world", "earth"))
    done = wasi_nn("validate", "--no-run", printing.folder, cwd=printing.root)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(call $exit (i32.const 0))", "(call $exit (i32.const 7))", "exits with another code"),
        ("(call $check (call $compute (i32.load (i32.const 84))))", "", "without a single compute"),
        ("\\0c\\00", "\\06\\00", "prints another line 2"),
    ],
    ids=["exit", "compute", "stdout"],
)
def test_what_it_misses_is_told(printing: Project, old: str, new: str, message: str) -> None:
    give(printing, TEXT.replace(old, new))
    assert TEXT.replace(old, new) != TEXT
    run = printing.doit("verify:tiny.red")
    assert run.returncode == 1
    assert message in run.output


def test_a_failure_may_be_what_is_expected(printing: Project) -> None:
    give(printing, TEXT.replace("(call $exit (i32.const 0))", "(call $exit (i32.const 7))"))
    for case in ("red", "blue"):
        printing.edit(f"[expect.{case}]\nstdout", f"[expect.{case}]\nexit = 7\nstdout")
    run = printing.doit()
    assert run.returncode == 0, run.output


def test_the_outputs_of_the_model_are_checked_all_the_same(printing: Project) -> None:
    printing.edit("top1 = 2", "top1 = 1")
    run = printing.doit()
    assert run.returncode == 1
    assert "The largest output is of another class" in run.output


def test_new_takes_a_guest_that_is_built(printing: Project, tmp_path: Path) -> None:
    outside = tmp_path / "My Guest.wasm"
    outside.write_bytes((printing.root / "mine.wasm").read_bytes())
    arguments = ("tiny.onnx", "--guest", outside, "--yes", "--license", "MIT")
    done = wasi_nn("new", "other", *arguments, cwd=printing.root)
    assert done.returncode == 0, done.stderr
    assert "configs/guests/my-guest.toml: if the guest does not read fixture.txt" in done.stdout
    root = printing.root
    assert (root / "guests/my-guest.wasm").read_bytes() == outside.read_bytes()
    assert 'program = "my-guest"' in (root / "configs/fixtures/other.toml").read_text()
    run = printing.doit("guest:my-guest")
    assert run.returncode == 0, run.output


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("classify.wasm", b"", "A built-in guest is named 'classify'."),
        ("none.wasm", None, "Cannot read the file."),
        ("text.wasm", b"(module)", "The guest is not a valid WebAssembly module."),
    ],
)
def test_a_guest_that_cannot_be_taken_changes_nothing(
    printing: Project, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (printing.root / name).write_bytes(data)
    before = sorted(printing.root.joinpath("configs").rglob("*"))
    done = wasi_nn("new", "other", "tiny.onnx", "--guest", name, "--yes", cwd=printing.root)
    assert done.returncode == 1
    assert message in done.stderr
    assert sorted(printing.root.joinpath("configs").rglob("*")) == before
