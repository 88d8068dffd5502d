"""Load a guest's file: read, compile and validate it before it runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    import wasmtime

_LARGEST = 256 << 20
_PAGE = 65536
# Limits for showing names that a guest chose.
_SHOWN, _LONGEST_NAME = 20, 120
# Bytes 0 to 8 of a core module, and of a component.
_CORE = b"\0asm\x01\0\0\0"
_COMPONENT = b"\0asm\x0d\0\x01\0"


def load_program(engine: wasmtime.Engine, path: Path, memory: int) -> wasmtime.Module:
    """Return the compiled module of a WASI command.

    Raises PipelineError: USAGE if the file cannot be read, GUEST_BUILD if it is not a core module
    or lacks a command's exports, MEMORY_LIMIT if its initial memory exceeds ``memory`` bytes.
    """
    import wasmtime

    wasm = _read(path)
    try:
        module = wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is not a valid WebAssembly module.",
            where=str(path),
            detail=str(error),
        ) from None
    check_exports(module, str(path))
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
        f"{_short(each.module)}.{_short(each.name or '')}"
        for each in module.imports
        if (each.module, each.name or "") not in offered
    ]
    if missing:
        more = len(missing) - _SHOWN
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The guest has unknown imports.",
            where=str(path),
            expected=f"functions of {' and '.join(modules)}",
            found=", ".join(missing[:_SHOWN]) + (f" and {more} more" if more > 0 else ""),
            hint="Build the guest for wasm32-wasi (preview 1).",
        )


def _short(name: str) -> str:
    """Return a guest's name as text of one line."""
    return repr(name)[1:-1][:_LONGEST_NAME]


def _read(path: Path) -> bytes:
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
    if wasm.startswith(_COMPONENT):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is a component, but this host runs core modules.",
            where=str(path),
            hint="Build it for wasm32-wasip1, without converting it to a component.",
        )
    if not wasm.startswith(_CORE):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is not WebAssembly.",
            where=str(path),
            expected="a binary that starts with 00 61 73 6d 01 00 00 00",
            found=wasm[:8].hex(" ") or "an empty file",
        )
    return wasm


def check_exports(module: wasmtime.Module, where: str) -> None:
    """Raise PipelineError (GUEST_BUILD) unless a module has the exports of a WASI command."""
    import wasmtime

    types = {export.name: export.type for export in module.exports}
    missing = []
    if not isinstance(types.get("memory"), wasmtime.MemoryType):
        missing.append("a memory named memory")
    start = types.get("_start")
    if not isinstance(start, wasmtime.FuncType) or start.params or start.results:
        missing.append("a function _start without parameters and results")
    if missing:
        raise PipelineError(
            Code.GUEST_BUILD,
            f"The guest does not export {' and '.join(missing)}.",
            where=where,
            found=", ".join(sorted(_short(name) for name in types if name)[:_SHOWN])
            or "no exports",
            hint="Build it as a WASI command: a program with a main, not a library.",
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
