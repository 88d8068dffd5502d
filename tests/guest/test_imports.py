"""What a guest imports and exports is known, and refused if it must be, before it runs."""

from __future__ import annotations

import pytest
import wasmtime

from pipeline.errors import Code, PipelineError
from pipeline.guest.imports import audit, check_imports, imports_of
from tests.guest.compiling import MODULES

MEMORY = '(memory (export "memory") 1)'
START = '(func (export "_start"))'


def wasm(*parts: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {' '.join(parts)})"))


def imported(module: str, name: str) -> str:
    return f'(import "{module}" "{name}" (func))'


def refused(data: bytes) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        audit(data, MODULES, "guest.wasm")
    assert caught.value.where == "guest.wasm"
    return caught.value


def test_imports_are_sorted_and_each_named_once() -> None:
    data = wasm(
        imported("wasi_snapshot_preview1", "fd_write"),
        imported("wasi_ephemeral_nn", "load"),
        imported("wasi_snapshot_preview1", "fd_write"),
        MEMORY,
        START,
    )
    expected = ("wasi_ephemeral_nn.load", "wasi_snapshot_preview1.fd_write")
    assert audit(data, MODULES, "guest.wasm") == expected
    assert imports_of(data, "guest.wasm") == expected


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("env", "launch"),
        ("wasi_ephemeral_nn_extra", "load"),
        ("wasi_ephemeral_nn.extra", "load"),
        ("wasi_unstable", "fd_write"),
        ("", "wasi_ephemeral_nn.load"),
    ],
)
def test_a_foreign_import_is_refused_by_name(module: str, name: str) -> None:
    data = wasm(imported("wasi_ephemeral_nn", "load"), imported(module, name), MEMORY, START)
    error = refused(data)
    assert error.code is Code.GUEST_IMPORTS
    assert error.found == f"{module}.{name}"
    assert error.expected == "imports from wasi_ephemeral_nn and wasi_snapshot_preview1 only"


def test_an_imported_name_cannot_steer_the_terminal() -> None:
    error = refused(wasm(imported("env", r"\1b[2J\0alaunch"), MEMORY, START))
    assert error.found == r"env.\x1b[2J\nlaunch"


def test_of_many_foreign_imports_ten_are_shown() -> None:
    names = [f"env.f{number:04}" for number in range(1000)]
    with pytest.raises(PipelineError) as caught:
        check_imports(names, MODULES, "guest.wasm")
    assert caught.value.found == ", ".join(names[:10]) + ", and 990 more"


NO_START = "a function _start without parameters and results"
NO_MEMORY = "a memory named memory"


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ((MEMORY,), NO_START),
        ((START,), NO_MEMORY),
        ((), f"{NO_MEMORY} and {NO_START}"),
        ((MEMORY, '(global (export "_start") i32 (i32.const 0))'), NO_START),
        ((MEMORY, '(func (export "_start") (param i32))'), NO_START),
        ((START, '(func (export "memory"))', "(memory 1)"), NO_MEMORY),
    ],
)
def test_a_guest_that_is_no_command_is_refused(parts: tuple[str, ...], missing: str) -> None:
    error = refused(wasm(*parts))
    assert error.code is Code.GUEST_BUILD
    assert error.message == f"The guest does not export {missing}."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0asm",
        b"\0asm\1\0\0\0\x02\xff\xff\xff\xff\x0f",
        b"\0asm\x0d\0\1\0",
        b"<!DOCTYPE html>",
        f"(module {MEMORY} {START})".encode(),
    ],
    ids=["empty", "cut off", "a section past the end", "a component", "a page", "text format"],
)
def test_what_is_no_core_module_is_one_clear_error(data: bytes) -> None:
    error = refused(data)
    assert error.code is Code.GUEST_BUILD
    assert error.message == "The guest is not a valid WebAssembly module."
    assert error.found
    assert "\n" not in error.found
    with pytest.raises(PipelineError, match="not a valid WebAssembly module"):
        imports_of(data, "guest.wasm")
