"""What `wasi-nn run` gives to a guest: arguments, variables, disk; and how it names mistakes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.conformance.models.ir import add
from tests import fork_server
from tests.cli.test_run import EXIT, ROOT, guest, wasi_nn
from tests.host.script import write_guest

WASI = "wasi_snapshot_preview1"


def printer(folder: Path, what: str) -> Path:
    """A guest that prints its arguments, or its environment, each with a NUL at its end."""
    imports = "".join(
        f'(import "{WASI}" "{name}" (func ${short} (param {parameters}) (result i32)))'
        for name, short, parameters in (
            (f"{what}_sizes_get", "sizes", "i32 i32"),
            (f"{what}_get", "get", "i32 i32"),
            ("fd_write", "write", "i32 i32 i32 i32"),
        )
    )
    body = (
        "(drop (call $sizes (i32.const 0) (i32.const 12)))"
        "(drop (call $get (i32.const 1024) (i32.const 4096)))"
        "(i32.store (i32.const 8) (i32.const 4096))"
        "(drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))"
    )
    return guest(folder, body, imports)


@pytest.mark.parametrize(
    "words",
    [
        ["cat", "--threads", "2"],
        ["cat", "--dir", "/etc"],
        ["cat", "--tr"],
        ["-h"],
        ["--help"],
        ["--seconds", "5", "cat"],
        ["-x"],
        ["a", "--", "b"],
        ["--=x"],
        [],
    ],
)
@pytest.mark.parametrize("dashes", [[], ["--"]])
def test_what_follows_the_guest_is_the_guests(
    tmp_path: Path, words: list[str], dashes: list[str]
) -> None:
    done = wasi_nn("--seconds", "30", printer(tmp_path, "args"), *dashes, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\0")[1:-1] == words


def test_options_are_not_abbreviated(tmp_path: Path) -> None:
    done = wasi_nn("--trac", printer(tmp_path, "args"), cwd=tmp_path)
    assert done.returncode == 2
    assert "--trac" in done.stderr


def test_a_guest_sees_the_variables_that_it_is_given_and_no_others(tmp_path: Path) -> None:
    words = ("--env", "A=1", "--env", "INHERITED", "--env", "EMPTY=", "--env", "A=2=3")
    done = fork_server.wasi_nn(
        "run", *words, printer(tmp_path, "environ"), cwd=tmp_path, env={"INHERITED": "x y"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\0")[:-1] == ["A=2=3", "INHERITED=x y", "EMPTY="]
    assert wasi_nn(printer(tmp_path, "environ"), cwd=tmp_path).stdout == ""


@pytest.mark.parametrize(
    ("text", "said"), [("MISSING_HERE", "no such variable"), ("=x", "Invalid name")]
)
def test_a_variable_that_cannot_be_given_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    done = wasi_nn("--env", text, printer(tmp_path, "environ"), cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


SHOW = (
    "import os, sys\n"
    "from pipeline.cli import run\n"
    "from pipeline.cli.main import main\n"
    "def show(args, variables):\n"
    "    print(repr(dict(os.environ)), flush=True)\n"
    "    sys.stdin.read()\n"
    "    raise SystemExit(0)\n"
    "run._run = show\n"
    "sys.exit(main())\n"
)


def in_memory(process: int, text: bytes) -> bool:
    """Whether any memory of a child process has a text."""
    maps = Path(f"/proc/{process}/maps").read_text().splitlines()
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            where, rights, *_, name = [*line.split(maxsplit=5), ""][:7]
            start, end = (int(word, 16) for word in where.split("-"))
            if not rights.startswith("rw") or name.startswith("[v"):
                continue
            memory.seek(start)
            if text in memory.read(end - start):
                return True
    return False


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="reads the process in /proc")
def test_the_process_of_a_guest_holds_no_variable_that_may_be_a_secret(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(SHOW)
    secret = "0a" + "4f7e" * 8
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "API_TOKEN": secret,
        # Python has but one object for each of these.
        "EMPTY": "",
        "DIGIT": "7",
        "MODEL": "the model",
    }
    with subprocess.Popen(
        [sys.executable, str(program), "run", "--env", "MODEL", str(tmp_path / "guest")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        kept = ast.literal_eval(process.stdout.readline().decode())
        assert not in_memory(process.pid, secret.encode())
        # What is looked for would be found.
        assert in_memory(process.pid, b"the model")
        assert secret not in Path(f"/proc/{process.pid}/environ").read_text()
        process.stdin.close()
    assert process.returncode == 0
    assert kept["MODEL"] == "the model"
    assert "PYTHONPATH" in kept
    assert not {"API_TOKEN", "EMPTY", "DIGIT"} & kept.keys()


MEMORY = '(memory (export "memory") 2)'


def writer(folder: Path, loop: str) -> Path:
    """A guest that writes into its folder again and again."""
    imports = EXIT + "".join(
        f'(import "{WASI}" "{name}" (func ${short} (param {parameters}) (result i32)))'
        for name, short, parameters in (
            ("path_open", "open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
            ("path_unlink_file", "unlink", "i32 i32 i32"),
            ("fd_write", "write", "i32 i32 i32 i32"),
            ("fd_close", "close", "i32"),
        )
    )
    functions = (
        "(func $new (result i32)"
        "(if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 1)"
        "(i64.const 64) (i64.const 0) (i32.const 0) (i32.const 8)) (then unreachable))"
        "(i32.load (i32.const 8)))"
        # A megabyte is 16 times the iovec of 64 KiB.
        "(func $fill (param i32) (local i32) (loop"
        "(drop (call $write (local.get 0) (i32.const 16) (i32.const 1) (i32.const 24)))"
        "(br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1)))"
        "(i32.const 16)))))"
        # The next of 65536 names, of four letters.
        "(func $next (param i32) "
        + "".join(
            f"(i32.store8 (i32.const {64 + place}) (i32.add (i32.const 65) (i32.and "
            f"(i32.shr_u (local.get 0) (i32.const {4 * place})) (i32.const 15))))"
            for place in range(4)
        )
        + ")"
    )
    return write_guest(
        folder,
        f"(module {imports} {MEMORY}"
        '(data (i32.const 16) "\\00\\00\\00\\00\\00\\00\\01\\00") (data (i32.const 64) "AAAA")'
        f'{functions} (func (export "_start") (local i32) {loop}))',
    )


WAYS = {
    "one file": "(local.set 0 (call $new)) (loop (call $fill (local.get 0)) (br 0))",
    "a removed file": "(local.set 0 (call $new))"
    "(drop (call $unlink (i32.const 3) (i32.const 64) (i32.const 4)))"
    "(loop (call $fill (local.get 0)) (br 0))",
    "empty files": "(loop (call $next (local.get 0)) (drop (call $close (call $new)))"
    "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (br 0))",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_cannot_fill_the_disk(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "before").write_bytes(bytes(3 << 20))
    wasm = writer(tmp_path, WAYS[way])
    done = wasi_nn("--disk", "2MiB", "--dir", f"{folder}::out::rw", wasm, cwd=tmp_path)
    assert done.returncode == 1
    assert "error[storage]: The guest exceeded its disk limit." in done.stderr
    assert "--disk" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--dir", ".:."), "HOST::GUEST"),
        (("--graph", "demo:PyTorch:CPU:net.pt"), "demo=pytorch::net.pt"),
    ],
)
def test_forms_of_other_hosts_are_told_ours(
    tmp_path: Path, options: tuple[str, str], said: str
) -> None:
    done = wasi_nn(*options, guest(tmp_path, ""), cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("size", ["4GiB", "4 GiB"])
def test_a_size_needs_no_space(tmp_path: Path, size: str) -> None:
    assert wasi_nn("--memory", size, guest(tmp_path, ""), cwd=tmp_path).returncode == 0


def test_a_trap_tells_of_the_memory_limit(tmp_path: Path) -> None:
    done = wasi_nn(guest(tmp_path, "unreachable"), cwd=tmp_path)
    assert done.returncode == 1
    assert "--memory" in done.stderr


def test_messages_show_no_control_characters_and_end(tmp_path: Path) -> None:
    call = (
        '(import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))'
    )
    body = (
        "(local i32) (loop (drop (call $load (i32.const 0) (i32.const 60) (i32.const 8192)))"
        "(br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))"
        "(i32.const 12000))))"
    )
    name = "\\1b[2J\\0aerror: \\e2\\80\\ae" + "x" * 47
    wasm = write_guest(
        tmp_path,
        f'(module {call} (memory (export "memory") 1) (data (i32.const 0) "{name}")'
        f'(func (export "_start") {body}))',
    )
    done = wasi_nn(wasm, cwd=tmp_path)
    assert done.returncode == 0
    assert not {"\x1b", "\u202e"} & set(done.stderr)
    assert all(line.startswith("wasi-nn: ") for line in done.stderr.splitlines())
    assert len(done.stderr) < 8 << 20


def test_names_of_a_model_are_cleaned_and_cut(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    name = b"&#27;[2J&#10;error: \xe2\x80\xae" + b"x" * 20_000
    xml, weights = add().parts
    (folder / "net.xml").write_bytes(xml.replace(b'"x"', b'"' + name + b'"'))
    (folder / "net.bin").write_bytes(weights)
    imports = "".join(
        f'(import "wasi_ephemeral_nn" "{name}" (func ${name} (param {parameters}) (result i32)))'
        for name, parameters in (
            ("load_by_name", "i32 i32 i32"),
            ("init_execution_context", "i32 i32"),
            ("set_input", "i32 i32 i32"),
        )
    )
    body = (
        "(local i32) (drop (call $load_by_name (i32.const 0) (i32.const 3) (i32.const 8)))"
        "(drop (call $init_execution_context (i32.const 0) (i32.const 8)))"
        "(loop (drop (call $set_input (i32.const 0) (i32.const 7) (i32.const 0)))"
        "(br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))"
        "(i32.const 3000))))"
    )
    wasm = write_guest(
        tmp_path,
        f'(module {imports} {MEMORY} (data (i32.const 0) "net") (func (export "_start") {body}))',
    )
    done = wasi_nn("--graph", "net", wasm, cwd=tmp_path)
    assert done.returncode == 0
    assert "no input 7; the graph has 1: \\x1b[2J" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stderr)
    assert all(line.startswith("wasi-nn: ") for line in done.stderr.splitlines())
    assert "too many messages" in done.stderr.splitlines()[-1]
    assert len(done.stderr) < 5 << 20


def test_the_help_names_what_a_guest_is_given() -> None:
    done = wasi_nn("--help", cwd=ROOT)
    for each in ("--env", "--disk", "belongs to the guest"):
        assert each in done.stdout


def tries_to_write(folder: Path, call: str, end: str) -> Path:
    imports = EXIT + "".join(
        f'(import "{WASI}" "{name}" (func ${name} (param {parameters}) (result i32)))'
        for name, parameters in (
            ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32"),
            ("path_create_directory", "i32 i32 i32"),
            ("path_unlink_file", "i32 i32 i32"),
        )
    )
    return write_guest(
        folder,
        f'(module {imports} {MEMORY} (data (i32.const 64) "file")'
        f'(func (export "_start") (local i32) (local.set 0 {call}) {end}))',
    )


PATH = "(i32.const 64) (i32.const 4)"
CREATES = f"(call $path_open (i32.const 3) (i32.const 0) {PATH} (i32.const 1)"
OPENS = f"(call $path_open (i32.const 3) (i32.const 0) {PATH} (i32.const 0)"
REST = "(i64.const 0) (i32.const 0) (i32.const 8))"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (f"{CREATES} (i64.const 2) {REST}", True),
        (f"{OPENS} (i64.const 64) {REST}", True),
        (f"{OPENS} (i64.const 2) {REST}", False),
        (f"(call $path_create_directory (i32.const 3) {PATH})", True),
        (f"(call $path_unlink_file (i32.const 3) {PATH})", True),
    ],
)
@pytest.mark.parametrize("end", ["(call $proc_exit (i32.const 1))", "unreachable", ""])
def test_a_refused_write_names_rw(tmp_path: Path, call: str, told: bool, end: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "file").touch()
    wasm = tries_to_write(tmp_path, call, end.replace("$proc_exit", "$exit"))
    done = wasi_nn("--dir", f"{folder}::in", wasm, cwd=tmp_path)
    assert done.returncode == (1 if end else 0)
    # A guest that goes on needs no advice.
    assert ("::rw" in done.stderr) == (told and bool(end)), done.stderr


STACK = """\
import sys, threading
from pipeline.cli.main import main
start = threading.Thread.start
def started(thread):
    print(thread.name, threading.stack_size(), flush=True)
    start(thread)
threading.Thread.start = started
sys.exit(main(["run", sys.argv[1]]))
"""


def test_a_guest_has_the_stack_that_wasm_may_use(tmp_path: Path) -> None:
    """The default of macOS is less; of Python, what holds as a thread starts counts."""
    wasm = guest(tmp_path, "(call $exit (i32.const 0))")
    done = subprocess.run(
        [sys.executable, "-c", STACK, wasm], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"guest {16 << 20}\n" in done.stdout
