"""`wasi-nn inspect`: how it prints a guest's imports."""

from __future__ import annotations

import sys
from pathlib import Path

import wasmtime

from tests.fork_server import wasi_nn
from tests.terminal import Terminal

_COLUMNS = 80


def test_a_guests_imports_are_wrapped_on_a_terminal_alone(tmp_path: Path) -> None:
    names = [f"path_function_{number:02}" for number in range(12)]
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func (param i32 i64) (result i32)))'
        for name in names
    )
    (tmp_path / "guest.wasm").write_bytes(wasmtime.wat2wasm(f"(module {imports})"))
    done = wasi_nn("inspect", "guest.wasm", cwd=tmp_path)
    [line] = [each for each in done.stdout.splitlines() if each.startswith("imports: ")]
    shown = [f"wasi_snapshot_preview1.{name}: (i32 i64) -> (i32)" for name in names]
    assert line == f"imports: {', '.join(shown)}"

    command = [sys.executable, "-m", "pipeline.cli.main", "inspect", "guest.wasm"]
    terminal = Terminal(command, columns=_COLUMNS, cwd=tmp_path)
    assert terminal.end() == 0
    first = next(
        number for number, each in enumerate(terminal.screen) if each.startswith("imports:")
    )
    lines = terminal.screen[first : first + len(names)]
    assert [each.rstrip(",") for each in lines] == [
        f"imports: {shown[0]}",
        *(f"  {each}" for each in shown[1:]),
    ]
