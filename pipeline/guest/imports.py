"""Check a guest's imports and exports before it runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.guest_program import check_exports

if TYPE_CHECKING:
    import wasmtime

_MAGIC = b"\0asm"
_SHOWN = 10


def audit(wasm: bytes, modules: Collection[str], name: str) -> tuple[str, ...]:
    """Return the guest's imports as sorted ``module.name``; ``name`` is used in errors.

    Raises PipelineError: GUEST_IMPORTS for an import from a module that is not allowed, GUEST_BUILD
    for an invalid core module, or one without the exports of a WASI command.
    """
    module = _module(wasm, name)
    imports = _imports(module)
    check_imports(imports, modules, name)
    check_exports(module, name)
    return imports


def imports_of(wasm: bytes, name: str) -> tuple[str, ...]:
    r"""Return the imports of a core module as sorted ``module.name``.

    Raises PipelineError (GUEST_BUILD) when it is not a valid core module.

    >>> imports_of(b"\0asm\1\0\0\0", "empty.wasm")
    ()
    """
    return _imports(_module(wasm, name))


def check_imports(imports: Sequence[str], modules: Collection[str], name: str) -> None:
    """Refuse imports, each ``module.name``, from other modules.

    Raises PipelineError (GUEST_IMPORTS) with the refused imports.

    >>> check_imports(["wasi_ephemeral_nn.load"], ["wasi_ephemeral_nn"], "classify.wasm")
    """
    # Split at the last dot: a module's name may contain dots.
    foreign = [each for each in imports if each.rpartition(".")[0] not in modules]
    if foreign:
        more = f", and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The guest has imports that are not allowed.",
            where=name,
            expected=f"imports from {' and '.join(sorted(modules))} only",
            found=", ".join(map(_shown, foreign[:_SHOWN])) + more,
            hint="Remove them, or add their module to imports in the guest's config.",
        )


def _module(wasm: bytes, name: str) -> wasmtime.Module:
    import wasmtime

    found = "no WebAssembly magic number"
    # Wasmtime also accepts the text format, other hosts do not.
    if wasm.startswith(_MAGIC):
        try:
            return wasmtime.Module(wasmtime.Engine(), wasm)
        except wasmtime.WasmtimeError as error:
            found = _shown(str(error).rstrip().splitlines()[-1].strip())
    raise PipelineError(
        Code.GUEST_BUILD, "The guest is not a valid WebAssembly module.", where=name, found=found
    )


def _imports(module: wasmtime.Module) -> tuple[str, ...]:
    return tuple(sorted({f"{each.module}.{each.name}" for each in module.imports}))


def _shown(text: str) -> str:
    """Escape a name chosen by the guest for a terminal."""
    return text.encode("unicode_escape").decode()[:200]
