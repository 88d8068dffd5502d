"""Components in the sandbox: limits, ways to end, and what a component may reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.backends.openvino import OpenVINOContext
from pipeline.host.host import Host, NamedGraph, Outcome, Preopen
from tests.host.component_script import ComponentScript, write_component
from tests.host.conftest import Ir

# error-code of wasi:filesystem, in order.
_CODES = """
access would-block already bad-descriptor busy deadlock quota exist file-too-large
illegal-byte-sequence in-progress interrupted invalid io is-directory loop too-many-links
message-size name-too-long no-device no-entry no-lock insufficient-memory insufficient-space
not-directory not-empty not-recoverable unsupported no-tty no-such-device overflow not-permitted
pipe read-only invalid-seek text-file-busy cross-device
"""
FOLDERS = f"""
(import "wasi:filesystem/types@0.2.0" (instance $fs
  (export "descriptor" (type $d (sub resource)))
  (type $codes (enum {" ".join(f'"{code}"' for code in _CODES.split())}))
  (export "error-code" (type $code (eq $codes)))
  (export "[method]descriptor.create-directory-at"
    (func (param "self" (borrow $d)) (param "path" string) (result (result (error $code)))))))
(alias export $fs "descriptor" (type $descriptor))
(import "wasi:filesystem/preopens@0.2.0" (instance $preopens
  (alias outer $command $descriptor (type $d0)) (export "descriptor" (type $d (eq $d0)))
  (export "get-directories" (func (result (list (tuple (own $d) string)))))))
(import "wasi:cli/environment@0.2.0" (instance $environment
  (export "get-environment" (func (result (list (tuple string string)))))
  (export "get-arguments" (func (result (list string))))))
(core module $libc
  (memory (export "memory") 1) (global $top (mut i32) (i32.const 4096))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $at) (local.get 3))) (local.get $at)))
(core instance $libc (instantiate $libc))
(alias core export $libc "memory" (core memory $memory))
(alias core export $libc "realloc" (core func $realloc))
(core func $create (canon lower (func $fs "[method]descriptor.create-directory-at")
  (memory $memory)))
(core func $list (canon lower (func $preopens "get-directories")
  (memory $memory) (realloc $realloc)))
(core func $variables (canon lower (func $environment "get-environment")
  (memory $memory) (realloc $realloc)))
(core func $arguments (canon lower (func $environment "get-arguments")
  (memory $memory) (realloc $realloc)))
"""


def command(folder: Path, body: str) -> Path:
    """A component whose module imports `create`, `list`, `variables` and `arguments`."""
    return write_component(
        folder,
        f"""(component $command {FOLDERS}
(core module $main
  (import "libc" "memory" (memory 1))
  (import "host" "create" (func $create (param i32 i32 i32 i32)))
  (import "host" "list" (func $list (param i32)))
  (import "host" "variables" (func $variables (param i32)))
  (import "host" "arguments" (func $arguments (param i32)))
  (func (export "run") (result i32) (local $n i32) {body}))
(core instance $i (instantiate $main (with "libc" (instance $libc)) (with "host" (instance
  (export "create" (func $create)) (export "list" (func $list))
  (export "variables" (func $variables)) (export "arguments" (func $arguments))))))
(func $run (result (result)) (canon lift (core func $i "run")))
(instance $exported (export "run" (func $run)))
(export "wasi:cli/run@0.2.0" (instance $exported)))""",
    )


# Creates a folder in the first preopen, named by eight letters of a number; 1 if refused.
CREATE = """
  (call $list (i32.const 0))
  (i64.store (i32.const 64) (i64.or (i64.const 0x4141414141414141)
    (i64.extend_i32_u (i32.and (local.get $n) (i32.const 0xf)))))
  (i32.store8 (i32.const 65) (i32.or (i32.const 64)
    (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 0xf))))
  (i32.store8 (i32.const 66) (i32.or (i32.const 64)
    (i32.and (i32.shr_u (local.get $n) (i32.const 8)) (i32.const 0xf))))
  (call $create (i32.load (i32.load (i32.const 0))) (i32.const 64) (i32.const 8) (i32.const 32))
"""


def run(wasm: Path, **options: Any) -> Outcome:
    with Host() as host:
        return host.run(wasm, **{"seconds": 30, **options})


def refused(wasm: Path, **options: Any) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        run(wasm, **options)
    return caught.value


@pytest.fixture(params=["general", "core"], name="general")
def way(request: pytest.FixtureRequest) -> bool:
    """Whether Wasmtime runs the component as one, or the host its first module."""
    return bool(request.param == "general")


def scripted(folder: Path, general: bool, *body: str, functions: str = "") -> Path:
    script = ComponentScript(body=list(body), functions=functions, silent=True)
    return script.write(folder, general=general)


def test_an_endless_loop_ends_at_the_time_limit(tmp_path: Path, general: bool) -> None:
    error = refused(scripted(tmp_path, general, "(loop (br 0))"), seconds=0.5)
    assert error.code is Code.TIME_LIMIT


def test_fuel_ends_a_component(tmp_path: Path, general: bool) -> None:
    error = refused(scripted(tmp_path, general, "(loop (br 0))"), fuel=100_000)
    assert (error.code, error.message) == (Code.TIME_LIMIT, "The guest ran out of fuel.")


def test_a_trap_is_told_in_wasmtimes_words(tmp_path: Path, general: bool) -> None:
    error = refused(scripted(tmp_path, general, "(unreachable)"))
    assert error.code is Code.GUEST_FAILED
    assert "unreachable" in error.found


def test_a_stack_overflow_is_a_trap(tmp_path: Path, general: bool) -> None:
    functions = "(func $deep (call $deep) (call $deep))"
    error = refused(scripted(tmp_path, general, "(call $deep)", functions=functions))
    assert (error.code, error.found) == (Code.GUEST_FAILED, "call stack exhausted")


def test_memory_does_not_grow_beyond_its_limit(tmp_path: Path, general: bool) -> None:
    body = "(if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then (unreachable)))"
    wasm = scripted(tmp_path, general, body)
    assert run(wasm, memory=8 << 20).exit_code == 0
    assert refused(wasm, memory=4 << 20).code in (Code.GUEST_FAILED, Code.MEMORY_LIMIT)


def test_a_component_that_begins_too_large(tmp_path: Path, general: bool) -> None:
    assert refused(scripted(tmp_path, general), memory=1 << 16).code is Code.MEMORY_LIMIT


def test_a_running_inference_is_ended_at_the_time_limit(
    tmp_path: Path, models: dict[str, Ir], general: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled: list[bool] = []

    def compute(_context: OpenVINOContext) -> None:
        while not cancelled:
            pass

    def cancel(_context: OpenVINOContext) -> None:
        cancelled.append(True)

    monkeypatch.setattr(OpenVINOContext, "compute", compute)
    monkeypatch.setattr(OpenVINOContext, "cancel", cancel)
    script = ComponentScript(silent=True)
    context = script.context(script.load("m"))
    script.compute(context, ("x", script.tensor([1, 4], bytes(16))))
    wasm = script.write(tmp_path, general=general)
    error = refused(wasm, seconds=1, graphs=[NamedGraph("m", models["add"].folder)])
    assert error.code is Code.TIME_LIMIT


@pytest.mark.parametrize("writable", [False, True])
def test_a_folder_is_read_only_unless_told(tmp_path: Path, writable: bool) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    wasm = command(tmp_path, f"{CREATE} (i32.load8_u (i32.const 32))")
    folder = Preopen(host=shared, guest="shared", writable=writable)
    assert run(wasm, dirs=[folder]).exit_code == (0 if writable else 1)
    assert len(list(shared.iterdir())) == writable


def test_a_component_that_fills_the_disk_is_ended(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    once = f"{CREATE} (local.set $n (i32.add (local.get $n) (i32.const 1)))"
    # The memory for what the host lists is used again each time.
    wasm = command(
        tmp_path,
        f"(loop {once} (br_if 0 (i32.lt_u (local.get $n) (i32.const 600))))"
        " (loop (br 0)) (unreachable)",
    )
    folder = Preopen(host=shared, guest="shared", writable=True)
    assert refused(wasm, dirs=[folder], disk=1 << 20).code is Code.STORAGE


def test_a_component_gets_its_arguments_and_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "yes")
    count = "(i32.ne (i32.load offset=4 (i32.const {at})) (i32.const {count}))"
    wasm = command(
        tmp_path,
        "(call $variables (i32.const 0)) (call $arguments (i32.const 16))"
        f"(i32.or {count.format(at=0, count=1)} {count.format(at=16, count=3)})",
    )
    assert run(wasm, env={"A": "b"}, args=["one", "two"]).exit_code == 0
    assert run(wasm, args=["one", "two"]).exit_code == 1


NN = "wasi:nn/graph@0.2.0-rc-2024-06-25"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (
            '(component (import "acme:gpu/run@1.0.0" (instance (export "f" (func)))))',
            Code.GUEST_IMPORTS,
            ["acme:gpu/run@1.0.0", "wasi:nn/graph@0.2.0-rc-2024-10-28"],
        ),
        (
            '(component (import "wasi:http/types@0.2.0" (instance (export "f" (func)))))',
            Code.GUEST_IMPORTS,
            ["wasi:http/types@0.2.0", "no network"],
        ),
        (
            f'(component (import "{NN}" (instance)))',
            Code.GUEST_IMPORTS,
            [NN, "wasi:nn@0.2.0-rc-2024-10-28"],
        ),
        ("(component)", Code.GUEST_BUILD, ["wasi:cli/run", "no exports"]),
        (
            '(component (instance $e) (export "wasi:cli/run@0.2.0" (instance $e)))',
            Code.GUEST_BUILD,
            ["no function run"],
        ),
        (
            '(component (core module $m (func (export "run") (param i32))) '
            '(core instance $i (instantiate $m)) (func $run (param "x" u32) (canon lift '
            '(core func $i "run"))) (instance $e (export "run" (func $run))) '
            '(export "wasi:cli/run@0.2.0" (instance $e)))',
            Code.GUEST_BUILD,
            ["without parameters"],
        ),
    ],
)
def test_a_component_that_cannot_run_is_one_clear_error(
    tmp_path: Path, text: str, code: Code, said: list[str]
) -> None:
    error = refused(write_component(tmp_path, text))
    assert error.code is code
    for part in said:
        assert part in error.render()


@pytest.mark.parametrize("given", ["", '(param "a" u64) (param "b" u8) (param "c" bool)'])
def test_a_function_of_another_type_ends_the_component(tmp_path: Path, given: str) -> None:
    flat = "i64 i32 i32" if given else ""
    values = "(i64.const 7) (i32.const 7) (i32.const 1)" if given else ""
    text = f"""(component
      (import "wasi:nn/graph@0.2.0-rc-2024-10-28" (instance $nn
        (export "load" (func {given} (result u32)))))
      (core func $load (canon lower (func $nn "load")))
      (core module $m (import "nn" "load" (func $load (param {flat}) (result i32)))
        (func (export "run") (result i32) (call $load {values})))
      (core instance $i (instantiate $m
        (with "nn" (instance (export "load" (func $load))))))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $e (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $e)))"""
    error = refused(write_component(tmp_path, text))
    assert error.code is Code.GUEST_FAILED
    assert "another type than the host's" in error.found


def test_a_broken_component_is_one_clear_error(tmp_path: Path, general: bool) -> None:
    wasm = scripted(tmp_path, general)
    wasm.write_bytes(wasm.read_bytes()[:-20])
    error = refused(wasm)
    assert (error.code, error.message) == (Code.GUEST_BUILD, "The guest is not a valid component.")


def test_a_trap_in_realloc_is_one_clear_error(
    tmp_path: Path, models: dict[str, Ir], general: bool
) -> None:
    script = ComponentScript()
    script.realloc = (
        '(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))'
    )
    context = script.context(script.load("m"))
    script.compute(context, ("x", script.tensor([1, 4], bytes(16))))
    wasm = script.write(tmp_path, general=general)
    error = refused(wasm, graphs=[NamedGraph("m", models["add"].folder)])
    assert error.code is Code.GUEST_FAILED
    assert "unreachable" in error.found


def test_a_failure_of_the_host_while_a_resource_is_lent_is_one_clear_error(
    tmp_path: Path, models: dict[str, Ir], general: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("lost the device")

    monkeypatch.setattr("pipeline.host.abi.wit.Wit._outputs", fail)
    script = ComponentScript()
    context = script.context(script.load("m"))
    result = script.compute(context, ("x", script.tensor([1, 4], bytes(16))))
    _, text = script.failed(result)
    ran = script.run(tmp_path, [NamedGraph("m", models["add"].folder)], general=general)
    assert ran.listed(text) == b"the host failed: RuntimeError: lost the device"
