"""Load a guest's file: read, compile and validate it before it runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.start_section import export_start, has_start_section

if TYPE_CHECKING:
    import wasmtime

_LARGEST = 256 << 20
_PAGE = 65536
_START = "_start"
# Limits for showing names that a guest chose.
SHOWN, _LONGEST_NAME = 20, 120
# Bytes 0 to 8 of a core module, and of a component.
_CORE = b"\0asm\x01\0\0\0"
_COMPONENT = b"\0asm\x0d\0\x01\0"


# What imports belong to that guests are found with: the module, or the module and the name.
_OTHERS = {
    "wasi_nn": "wasi_nn is WAMR's own module of older bindings; wasi-nn's is wasi_ephemeral_nn.",
    "bench": "bench belongs to the Sightglass benchmarks and is not part of wasi-nn.",
    "wasi.thread-spawn": "thread-spawn belongs to wasi-threads and is not part of wasi-nn; build "
    "the guest without threads.",
    "wasi_snapshot_preview1.sock_open": "sock_open belongs to WasmEdge's sockets and is not part "
    "of wasi-nn; a guest has no network.",
    "wasi_unstable": "wasi_unstable is WASI preview 0; build the guest for preview 1.",
}
_PREVIEW_1 = "Build the guest for wasm32-wasi (preview 1)."


@dataclass(frozen=True)
class Program:
    """A compiled guest, and the functions to call in order: its start section's, and _start."""

    module: wasmtime.Module
    functions: tuple[str, ...]


def load_program(
    engine: wasmtime.Engine, path: Path, memory: int, wasm: bytes | None = None
) -> Program:
    """Return the compiled module of a WASI command, which ``wasm`` is if it is part of the file.

    Raises PipelineError: USAGE if the file cannot be read, GUEST_BUILD if it is not a core module
    or lacks a command's exports, MEMORY_LIMIT if its initial memory exceeds ``memory`` bytes.
    """
    import wasmtime

    wasm = read_guest(path) if wasm is None else wasm
    start = None
    try:
        if has_start_section(wasm):
            wasmtime.Module.validate(engine, wasm)
            wasm, start = export_start(wasm)
        module = wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise _invalid(path, error) from None
    check_exports(module, str(path), start)
    _check_memory(module, path, memory)
    command = any(each.name == _START for each in module.exports)
    functions = [start] if start is not None else []
    return Program(module, (*functions, *([_START] if command else [])))


def compile_module(engine: wasmtime.Engine, path: Path, memory: int) -> wasmtime.Module:
    """Return the compiled module of a file, whatever it exports; raises as ``load_program``."""
    import wasmtime

    wasm = read_guest(path)
    try:
        module = wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise _invalid(path, error) from None
    _check_memory(module, path, memory)
    return module


def check_imports(
    module: wasmtime.Module,
    path: Path,
    offered: Collection[tuple[str, str]],
    modules: Sequence[str],
) -> None:
    """Raise PipelineError (GUEST_IMPORTS) with the imports that none of ``modules`` has."""
    missing = [
        f"{short_name(each.module)}.{short_name(each.name or '')}"
        for each in module.imports
        if (each.module, each.name or "") not in offered
    ]
    if missing:
        more = len(missing) - SHOWN
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The guest has unknown imports.",
            where=str(path),
            expected=f"functions of {' and '.join(modules)}",
            found=", ".join(missing[:SHOWN]) + (f" and {more} more" if more > 0 else ""),
            hint=_owner(module, offered),
        )


def _invalid(path: Path, error: Exception) -> PipelineError:
    return PipelineError(
        Code.GUEST_BUILD,
        "The guest is not a valid WebAssembly module.",
        where=str(path),
        detail=str(error),
    )


def _owner(module: wasmtime.Module, offered: Collection[tuple[str, str]]) -> str:
    """Return what the missing imports belong to."""
    for each in module.imports:
        if (each.module, each.name or "") not in offered:
            for name in (each.module, f"{each.module}.{each.name}"):
                if name in _OTHERS:
                    return _OTHERS[name]
    return _PREVIEW_1


def short_name(name: str) -> str:
    """Return a guest's name as text of one line."""
    return repr(name)[1:-1][:_LONGEST_NAME]


def is_component(path: Path) -> bool:
    """Return whether a file begins as a component; False if it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_COMPONENT)) == _COMPONENT
    except OSError:
        return False


def read_guest(path: Path) -> bytes:
    """Return the bytes of a core module or component.

    Raises PipelineError: USAGE if the file cannot be read, GUEST_BUILD if it is none.
    """
    try:
        with path.open("rb") as stream:
            wasm = stream.read(_LARGEST + 1)
    except OSError as error:
        raise PipelineError(
            Code.USAGE, "Cannot read the guest.", where=str(path), found=error.strerror or ""
        ) from None
    if len(wasm) > _LARGEST:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is too large.",
            where=str(path),
            expected=f"at most {_LARGEST >> 20} MiB",
        )
    if not wasm.startswith((_CORE, _COMPONENT)):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is not WebAssembly.",
            where=str(path),
            expected=f"a binary that starts with {_CORE.hex(' ')}, or a component's "
            f"{_COMPONENT.hex(' ')}",
            found=wasm[:8].hex(" ") or "an empty file",
        )
    return wasm


def check_exports(module: wasmtime.Module, where: str, started: str | None = None) -> None:
    """Raise PipelineError (GUEST_BUILD) unless a module has the exports of a WASI command.

    A module that is ``started`` by its start section needs no function _start.
    """
    import wasmtime

    types = {export.name: export.type for export in module.exports}
    missing = []
    if not isinstance(types.get("memory"), wasmtime.MemoryType):
        missing.append("a memory named memory")
    start = types.get(_START)
    found = isinstance(start, wasmtime.FuncType) and not (start.params or start.results)
    if not found and (start is not None or started is None):
        missing.append("a function _start without parameters and results")
    if missing:
        raise PipelineError(
            Code.GUEST_BUILD,
            f"The guest does not export {' and '.join(missing)}.",
            where=where,
            found=", ".join(sorted(short_name(name) for name in types if name)[:SHOWN])
            or "no exports",
            hint="Build it as a WASI command: a program with a main, not a library. AssemblyScript "
            "has `--exportStart _start` for that (`--explicitStart` before 0.19).",
        )


def _check_memory(module: wasmtime.Module, path: Path, memory: int) -> None:
    import wasmtime

    for export in module.exports:
        if isinstance(export.type, wasmtime.MemoryType):
            least = export.type.limits.min * _PAGE
            if least > memory:
                raise PipelineError(
                    Code.MEMORY_LIMIT,
                    "The guest's initial memory exceeds its limit.",
                    where=str(path),
                    expected=f"at most {memory} bytes",
                    found=f"{least} bytes",
                    hint="Increase the memory limit, or build it with a smaller initial memory.",
                )
