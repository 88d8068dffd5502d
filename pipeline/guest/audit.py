"""What a guest imports and exports, read before it runs."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.errors import Code, PipelineError


def audit(wasm: bytes, modules: Collection[str], name: str) -> tuple[str, ...]:
    """Return the guest's imports as sorted ``module.name``.

    Raises PipelineError: GUEST_IMPORTS when one is of no allowed module, GUEST_BUILD when it is
    no valid core module, or lacks what a command exports: ``_start`` and ``memory``.
    """
    import wasmtime

    try:
        module = wasmtime.Module(wasmtime.Engine(), wasm)
    except wasmtime.WasmtimeError as error:
        raise PipelineError(
            Code.GUEST_BUILD,
            "The guest is not a valid WebAssembly module.",
            where=name,
            found=str(error).splitlines()[0],
        ) from None
    imports = sorted(f"{each.module}.{each.name}" for each in module.imports)
    foreign = [
        f"{each.module}.{each.name}" for each in module.imports if each.module not in modules
    ]
    if foreign:
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The guest imports what it may not.",
            where=name,
            expected=f"only {' and '.join(sorted(modules))}",
            found=", ".join(sorted(foreign)),
            hint="A portable guest asks its host for nothing else.",
        )
    exports = {export.name for export in module.exports}
    missing = [need for need in ("_start", "memory") if need not in exports]
    if missing:
        raise PipelineError(
            Code.GUEST_BUILD,
            f"The guest does not export {' and '.join(missing)}.",
            where=name,
            hint="Build it as a WASI command, not as a library.",
        )
    return tuple(imports)
