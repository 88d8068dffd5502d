"""The sandbox: limits, ways to end, and what a guest may reach."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.host import Host, NamedGraph, Outcome, Preopen
from tests.host.conftest import Ir
from tests.host.script import Script, write_guest

WASI = "wasi_snapshot_preview1"
EXIT = f'(import "{WASI}" "proc_exit" (func $exit (param i32)))'
OPEN = (
    f'(import "{WASI}" "path_open" (func $open '
    "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"
)
MEMORY = '(memory (export "memory") 1)'


def guest(folder: Path, body: str, imports: str = EXIT, memory: str = MEMORY) -> Path:
    return write_guest(folder, f'(module {imports} {memory} (func (export "_start") {body}))')


def run(wasm: Path, **options: Any) -> Outcome:
    with Host() as host:
        return host.run(wasm, **{"seconds": 30, **options})


def refused(wasm: Path, **options: Any) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        run(wasm, **options)
    return caught.value


@pytest.mark.parametrize("code", [0, 1, 125, 126, 200, 255, 0xFFFFFFFF])
def test_the_exit_code_is_passed_through(tmp_path: Path, code: int) -> None:
    assert run(guest(tmp_path, f"(call $exit (i32.const {code}))")).exit_code == code


def test_a_guest_that_returns_has_exit_code_0(tmp_path: Path) -> None:
    assert run(guest(tmp_path, "")).exit_code == 0


def test_an_endless_loop_ends_at_the_time_limit(tmp_path: Path) -> None:
    assert refused(guest(tmp_path, "(loop br 0)"), seconds=0.2).code is Code.TIME_LIMIT


def test_fuel_ends_a_guest(tmp_path: Path) -> None:
    error = refused(guest(tmp_path, "(loop br 0)"), fuel=10_000)
    assert error.code is Code.TIME_LIMIT
    assert "fuel" in error.message


def test_a_trap_is_told_in_wasmtimes_words(tmp_path: Path) -> None:
    error = refused(guest(tmp_path, "unreachable"))
    assert error.code is Code.GUEST_FAILED
    assert "unreachable" in error.found
    assert "backtrace" in error.detail


def test_a_stack_overflow_is_a_trap(tmp_path: Path) -> None:
    wasm = write_guest(tmp_path, f'(module {MEMORY} (func $f (export "_start") call $f))')
    error = refused(wasm)
    assert error.code is Code.GUEST_FAILED
    assert "stack" in error.found


def test_memory_that_grows_to_its_limit_is_told(tmp_path: Path) -> None:
    body = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"
    error = refused(guest(tmp_path, body), memory=4 << 20)
    assert error.code is Code.MEMORY_LIMIT
    assert str(4 << 20) in error.expected


def test_a_trap_with_memory_to_spare_is_not_blamed_on_it(tmp_path: Path) -> None:
    body = "(drop (memory.grow (i32.const 10))) unreachable"
    assert refused(guest(tmp_path, body), memory=4 << 20).code is Code.GUEST_FAILED


def test_a_guest_that_begins_too_large(tmp_path: Path) -> None:
    memory = '(memory (export "memory") 100)'
    error = refused(guest(tmp_path, "", memory=memory), memory=1 << 20)
    assert error.code is Code.MEMORY_LIMIT
    assert error.found == "6553600 bytes"


@pytest.mark.parametrize("extra", ["(memory 1)", "(table 2000000 funcref)"])
def test_a_second_memory_and_a_huge_table(tmp_path: Path, extra: str) -> None:
    assert refused(guest(tmp_path, "", memory=MEMORY + extra)).code is Code.MEMORY_LIMIT


@pytest.mark.parametrize(
    ("wat", "code", "said"),
    [
        ('(module (func (export "_start")))', Code.GUEST_BUILD, "memory"),
        (f"(module {MEMORY})", Code.GUEST_BUILD, "_start"),
        (f'(module {MEMORY} (func (export "_start") (param i32)))', Code.GUEST_BUILD, "_start"),
        (
            f'(module (import "env" "a" (func)) (import "env" "b" (func)) {MEMORY} '
            '(func (export "_start")))',
            Code.GUEST_IMPORTS,
            "env.a, env.b",
        ),
        (
            f'(module (import "{WASI}" "proc_exit" (func (param i64))) {MEMORY} '
            '(func (export "_start")))',
            Code.GUEST_IMPORTS,
            "incompatible",
        ),
    ],
)
def test_a_guest_that_cannot_run_is_one_clear_error(
    tmp_path: Path, wat: str, code: Code, said: str
) -> None:
    error = refused(write_guest(tmp_path, wat))
    assert error.code is code
    assert said in error.render()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "an empty file"),
        (b"hello", "68 65 6c 6c 6f"),
        (b"\0asm\x0d\0\x01\0", "component"),
        (b"\0asm\x01\0\0\0\xff", "not a valid"),
    ],
)
def test_a_file_that_is_no_guest(tmp_path: Path, data: bytes, said: str) -> None:
    wasm = tmp_path / "guest.wasm"
    wasm.write_bytes(data)
    error = refused(wasm)
    assert error.code is Code.GUEST_BUILD
    assert said in error.render()


def opened(folder: Path, path: str, *, create: bool = False, write: bool = False) -> Path:
    """A guest that opens a path below its first folder and exits with WASI's errno."""
    rights = 64 if write else 2
    call = (
        f"(call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const {len(path)}) "
        f"(i32.const {1 if create else 0}) (i64.const {rights}) (i64.const 0) (i32.const 0) "
        "(i32.const 8))"
    )
    memory = f'{MEMORY} (data (i32.const 64) "{path}")'
    return guest(folder, f"(call $exit {call})", imports=OPEN + EXIT, memory=memory)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "inside").write_text("yes")
    (tmp_path / "secret").write_text("no")
    return folder


def test_a_guest_reads_its_folder(tmp_path: Path, shared: Path) -> None:
    wasm = opened(tmp_path, "inside")
    assert run(wasm, dirs=(Preopen(host=shared, guest="in"),)).exit_code == 0
    assert run(wasm).exit_code != 0


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_read_only_unless_told(tmp_path: Path, shared: Path, create: bool) -> None:
    wasm = opened(tmp_path, "new" if create else "inside", create=create, write=True)
    reading = run(wasm, dirs=(Preopen(host=shared, guest="in"),))
    assert reading.exit_code != 0
    assert [path.name for path in shared.iterdir()] == ["inside"]
    writing = run(wasm, dirs=(Preopen(host=shared, guest="in", writable=True),))
    assert writing.exit_code == 0
    assert (shared / "new").exists() == create


@pytest.mark.parametrize("path", ["../secret", "/secret", "link", "deep/../../secret"])
def test_no_path_leads_out_of_a_folder(tmp_path: Path, shared: Path, path: str) -> None:
    (shared / "deep").mkdir()
    (shared / "link").symlink_to(tmp_path / "secret")
    wasm = opened(tmp_path, path)
    assert run(wasm, dirs=(Preopen(host=shared, guest="in", writable=True),)).exit_code != 0


@pytest.mark.parametrize("what", ["environ_sizes_get", "args_sizes_get"])
def test_a_guest_gets_its_arguments_and_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("SECRET", "value")
    imports = f'{EXIT} (import "{WASI}" "{what}" (func $sizes (param i32 i32) (result i32)))'
    body = "(drop (call $sizes (i32.const 0) (i32.const 4))) (call $exit (i32.load (i32.const 0)))"
    wasm = guest(tmp_path, body, imports=imports)
    expected = 0 if what.startswith("environ") else 3
    assert run(wasm, args=("a", "b")).exit_code == expected


@pytest.mark.parametrize("argument", ["a\0b", "\udc80"])
def test_an_argument_that_would_arrive_as_another(tmp_path: Path, argument: str) -> None:
    assert refused(guest(tmp_path, ""), args=(argument,)).code is Code.USAGE


@pytest.mark.parametrize(
    "options",
    [
        {"dirs": (Preopen(host=Path("nowhere"), guest="in"),)},
        {"dirs": (Preopen(host=Path(), guest="x"), Preopen(host=Path(), guest="x"))},
        {"stdout": Path("nowhere/out")},
        {"seconds": 0},
        {"seconds": float("nan")},
        {"memory": 5 << 30},
        {"memory": 100},
        {"graphs": (NamedGraph("x", Path("nowhere")),)},
    ],
)
def test_a_wrong_option_is_one_clear_error(tmp_path: Path, options: dict[str, Any]) -> None:
    assert refused(guest(tmp_path, ""), **options).code is Code.USAGE


def test_a_folder_of_two_models_is_refused(tmp_path: Path) -> None:
    for name in ("a.xml", "a.bin", "b.xml", "b.bin"):
        (tmp_path / name).touch()
    error = refused(guest(tmp_path, ""), graphs=(NamedGraph("two", tmp_path),))
    assert error.found == "2 models: a, b"


def test_a_flood_of_bad_calls_is_not_kept(tmp_path: Path) -> None:
    imports = '(import "wasi_ephemeral_nn" "compute" (func $c (param i32) (result i32)))'
    body = (
        "(local i32) (loop (drop (call $c (i32.const 9))) (br_if 0 (i32.lt_u (local.tee 0 "
        "(i32.add (local.get 0) (i32.const 1))) (i32.const 12000))))"
    )
    said: list[str] = []
    with Host(on_message=said.append) as host:
        outcome = host.run(guest(tmp_path, body, imports=imports))
    assert len(outcome.messages) == 1000
    assert len(said) == 10_001
    assert "too many" in said[-1]


def test_a_running_inference_is_ended_at_the_time_limit(
    models: dict[str, Ir], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends import openvino

    cancelled: list[bool] = []
    real = openvino.OpenVINOContext.cancel

    def compute(self: openvino.OpenVINOContext) -> None:
        while not cancelled:
            pass

    def cancel(self: openvino.OpenVINOContext) -> None:
        cancelled.append(True)
        real(self)

    monkeypatch.setattr(openvino.OpenVINOContext, "compute", compute)
    monkeypatch.setattr(openvino.OpenVINOContext, "cancel", cancel)
    script = Script()
    script.ready(models["add"].xml, models["add"].bin)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], bytes(16)))
    script.call("compute", 0)
    assert refused(write_guest(tmp_path, script.wat()), seconds=1).code is Code.TIME_LIMIT


def test_a_host_works_in_a_spawned_process(tmp_path: Path, shared: Path) -> None:
    dirs = (Preopen(host=shared, guest="in"),)
    assert pickle.loads(pickle.dumps(dirs)) == dirs
    good, bad = opened(tmp_path, "inside"), tmp_path / "missing.wasm"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(run, good, dirs=dirs).result().exit_code == 0
        with pytest.raises(PipelineError) as caught:
            pool.submit(run, bad).result()
    assert caught.value.code is Code.USAGE


def test_a_guest_is_compiled_once_where_the_user_has_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wasm = guest(tmp_path, f"(call $exit (i32.const {7}))")
    found = []
    for _ in range(2):
        assert run(wasm).exit_code == 7
        found.append([path for path in (tmp_path / "cache").rglob("*") if path.suffix == ""])
    assert found[0]
    assert found[0] == found[1]


def test_a_guest_runs_without_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert run(guest(tmp_path, "")).exit_code == 0


def test_what_a_function_of_the_host_raises_is_raised_where_the_guest_was_started(
    models: dict[str, Ir], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.abi.witx import Witx

    def call(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(Witx, "function", lambda *_: call)
    script = Script()
    script.call("compute", 0)
    with pytest.raises(KeyboardInterrupt):
        run(write_guest(tmp_path, script.wat()))


def test_memory_that_grew_between_calls_is_found_again(
    models: dict[str, Ir], tmp_path: Path
) -> None:
    nn = "wasi_ephemeral_nn"
    imports = (
        f'(import "{nn}" "load_by_name" (func $load (param i32 i32 i32) (result i32)))'
        f'(import "{nn}" "init_execution_context" (func $init (param i32 i32) (result i32)))'
    )
    body = (
        "(drop (call $load (i32.const 0) (i32.const 3) (i32.const 16)))"
        "(drop (memory.grow (i32.const 500)))"
        # Beyond what was there at the first call, and what lies at the beginning is still read.
        "(if (call $load (i32.const 0) (i32.const 3) (i32.const 30000000)) (then unreachable))"
        "(if (i32.ne (i32.load (i32.const 30000000)) (i32.const 1)) (then unreachable))"
        "(if (call $init (i32.const 1) (i32.const 30000008)) (then unreachable))"
        "(if (i32.eqz (call $init (i32.const 1) (i32.const 33000000))) (then unreachable))"
    )
    memory = f'{MEMORY} (data (i32.const 0) "add")'
    wasm = guest(tmp_path, body, imports, memory)
    assert run(wasm, graphs=[NamedGraph("add", models["add"].folder)]).exit_code == 0


def test_a_tensor_that_changed_in_its_place_is_checked_again(
    models: dict[str, Ir], tmp_path: Path
) -> None:
    script = Script()
    script.ready(models["add"].xml, models["add"].bin)
    good = script.tensor(1, [1, 4], bytes(16))
    script.call("set_input", 0, 0, good)
    script.call("set_input", 0, 0, good)
    script.call("set_input", 0, 0, script.tensor(1, [1, 3], bytes(12)))
    script.call("set_input", 0, 0, script.tensor(2, [1, 4], bytes(32)))
    assert script.run(tmp_path).errnos[-4:] == [0, 0, 1, 1]
