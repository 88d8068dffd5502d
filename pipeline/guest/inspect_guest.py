"""Inspect a guest: its imports, exports, memory and version of wasi-nn."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    import wasmtime

_MOST_BYTES = 256 << 20
_CORE, _COMPONENT = b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"
_PAGE = 65536

_MODULE = "wasi_ephemeral_nn"
_FIRST = {"load", "init_execution_context", "set_input", "compute", "get_output"}
_WIT = re.compile(r"wasi:nn/[a-z-]+(?:@(?P<version>\S+))?")


def inspect_guest(path: Path) -> Mapping[str, Any]:
    """Return the imports, exports and memory of a guest, and its wasi-nn ABI.

    Memory is in bytes; components have none. Raises PipelineError (GUEST_BUILD) when the file is
    larger than 256 MiB, or not a WebAssembly module or component.
    """
    import wasmtime
    import wasmtime.component

    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The file is too large for a guest.",
            where=str(path),
            expected=f"at most {_MOST_BYTES} bytes",
            found=f"{size} bytes",
        )
    data, engine = path.read_bytes(), wasmtime.Engine()
    # Wasmtime also accepts the text format, other hosts do not.
    if not data.startswith((_CORE, _COMPONENT)):
        raise _invalid(path, "no WebAssembly magic number")
    try:
        if data.startswith(_CORE):
            return _core(wasmtime.Module(engine, data))
        return _component(wasmtime.component.Component(engine, data), engine)
    except wasmtime.WasmtimeError as error:
        raise _invalid(path, str(error).rstrip().splitlines()[-1].strip()[:200]) from None


def generation(imports: Collection[tuple[str, str]]) -> str:
    """Return the wasi-nn ABI of a core module, by its imports, each (module, name).

    >>> generation([("wasi_ephemeral_nn", "load"), ("wasi_ephemeral_nn", "compute")])
    'core ABI, graphs by bytes'
    >>> generation([("wasi_snapshot_preview1", "fd_write")])
    'none: no imports of wasi-nn'
    """
    names = {name for module, name in imports if module == _MODULE}
    if not names:
        return "none: no imports of wasi-nn"
    extensions = sorted(names - _FIRST - {"load_by_name"})
    loads = "graphs by name" if "load_by_name" in names else "graphs by bytes"
    if {"load", "load_by_name"} <= names:
        loads = "graphs by bytes and by name"
    extended = f", with extensions {', '.join(extensions)}" if extensions else ""
    return f"core ABI, {loads}{extended}"


def _core(module: wasmtime.Module) -> Mapping[str, Any]:
    imports = sorted({(each.module, str(each.name)) for each in module.imports})
    found: dict[str, Any] = {
        "format": "WebAssembly module",
        "wasi-nn": generation(imports),
    }
    if any(name == "set_input" for module_name, name in imports if module_name == _MODULE):
        # Element types are passed as numbers: imports do not show which numbering is used.
        found["tensor types"] = "numbering of 2022 or 2023 (not visible in imports)"
    return {
        **found,
        "imports": [f"{module_name}.{name}: {kind}" for module_name, name, kind in _taken(module)],
        "exports": [f"{each.name}: {_kind(each.type)}" for each in module.exports],
        "memory": _memories(
            [each.type for each in module.imports] + [each.type for each in module.exports]
        ),
    }


def _taken(module: wasmtime.Module) -> list[tuple[str, str, str]]:
    return sorted({(each.module, str(each.name), _kind(each.type)) for each in module.imports})


def _component(component: Any, engine: wasmtime.Engine) -> Mapping[str, Any]:
    imports = sorted(component.type.imports(engine))
    versions = {
        match["version"] or "without version" for each in imports if (match := _WIT.match(each))
    }
    listed = ", ".join(sorted(versions))
    return {
        "format": "WebAssembly component",
        "wasi-nn": f"WIT, wasi:nn {listed}" if versions else "none: no imports of wasi-nn",
        "imports": imports,
        "exports": sorted(component.type.exports(engine)),
    }


def _kind(each: Any) -> str:
    import wasmtime

    if isinstance(each, wasmtime.FuncType):
        given, back = (" ".join(map(str, types)) for types in (each.params, each.results))
        return f"({given}) -> ({back})"
    return type(each).__name__.removesuffix("Type").lower()


def _memories(types: Iterable[Any]) -> list[str]:
    import wasmtime

    limits = [each.limits for each in types if isinstance(each, wasmtime.MemoryType)]
    return [
        f"{each.min * _PAGE} bytes initially, "
        + ("no declared maximum" if each.max is None else f"at most {each.max * _PAGE}")
        for each in limits
    ]


def _invalid(path: Path, found: str) -> PipelineError:
    return PipelineError(
        Code.GUEST_BUILD,
        "The file is not a valid WebAssembly module or component.",
        where=str(path),
        found=found,
    )
