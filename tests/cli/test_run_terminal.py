"""A guest's output on a terminal, and where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_run import ROOT, command, guest
from tests.host.component_script import ComponentScript
from tests.terminal import Terminal

TEXT = b"a\x1b]0;title\7\x1b[2Jb\xe2\x80\xae\xc2\x9bc\xff\r\t\xe7\x8c\xab\n"
SHOWN = "a\\x1b]0;title\\x07\\x1b[2Jb\\u202e\\x9bc" + "\ufffd\r\t猫\r\n"


@pytest.fixture(params=["module", "component", "component by its program"])
def printer(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A guest that prints TEXT on both streams, and loads by a name with control characters."""
    if request.param == "module":
        return _module(tmp_path)
    script = ComponentScript(silent=True)
    at = script.put(TEXT)
    for stream in (1, 2):
        for begin, size in ((at, len(TEXT) - 2), (at + len(TEXT) - 2, 2)):
            script.body.append(
                f"(i32.store (i32.const 0) (i32.const {begin}))"
                f"(i32.store (i32.const 4) (i32.const {size}))"
                f"(drop (call $fd_write (i32.const {stream}) (i32.const 0) (i32.const 1)"
                " (i32.const 8)))"
            )
    script.call("load-by-name", at, 10)
    return script.write(tmp_path, general=request.param == "component")


def _module(folder: Path) -> Path:
    imports = (
        '(import "wasi_snapshot_preview1" "fd_write" '
        "(func $write (param i32 i32 i32 i32) (result i32)))"
        '(import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))'
    )
    # In two pieces, the second of which begins within a character; then a name that is not known.
    body = "".join(
        f"(i32.store (i32.const 0) (i32.const {at})) (i32.store (i32.const 4) (i32.const {size}))"
        f"(drop (call $write (i32.const {stream}) (i32.const 0) (i32.const 1) (i32.const 8)))"
        for stream in (1, 2)
        for at, size in ((64, len(TEXT) - 2), (64 + len(TEXT) - 2, 2))
    )
    name = "(drop (call $load (i32.const 64) (i32.const 10) (i32.const 16)))"
    text = "".join(f"\\{each:02x}" for each in TEXT)
    data = f'(data (i32.const 64) "{text}")'
    return guest(folder, body + name + ")" + data + "(func", imports)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_a_terminal_shows_control_characters_and_does_not_obey_them(printer: Path) -> None:
    terminal = Terminal(
        [sys.executable, "-m", "pipeline.cli.main", "run", str(printer)], columns=120
    )
    assert terminal.end() == 0
    assert b"\x1b" not in terminal.written
    assert b"\x07" not in terminal.written
    written = terminal.written.decode()
    assert "\u202e" not in written
    assert written.count(SHOWN) == 2, written
    assert "no graph named" in written


def test_a_pipe_gets_the_bytes_of_the_guest(printer: Path) -> None:
    done = subprocess.run(command(printer), capture_output=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0
    assert done.stdout == TEXT
    assert done.stderr.startswith(TEXT)
