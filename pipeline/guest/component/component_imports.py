"""Check a component's imports and exports before it runs."""

from __future__ import annotations

from pipeline.errors import Code, PipelineError, printable

_MAGIC = b"\0asm\x0d\0\x01\0"
_ENTRY = "wasi:cli/run@"


def audit_component(wasm: bytes, name: str) -> tuple[str, ...]:
    """Return a component's imports as sorted names of interfaces; ``name`` is used in errors.

    Raises PipelineError: GUEST_IMPORTS for an import that is not of WASI, GUEST_BUILD for a file
    that is not a component, or has no ``wasi:cli/run``.
    """
    imports, exports = _interfaces(wasm, name)
    if foreign := [printable(each) for each in imports if not each.startswith("wasi:")]:
        raise PipelineError(
            Code.GUEST_IMPORTS,
            "The component has imports that are not allowed.",
            where=name,
            expected="interfaces of WASI and wasi-nn only",
            found=", ".join(foreign[:10]),
        )
    if not any(each.startswith(_ENTRY) for each in exports):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The component cannot be run as a command.",
            where=name,
            expected="an export wasi:cli/run",
            found=", ".join(map(printable, exports[:10])) or "no exports",
        )
    return imports


def component_imports(wasm: bytes, name: str) -> tuple[str, ...]:
    """Return a component's imports as sorted names of interfaces.

    Raises PipelineError (GUEST_BUILD) when it is not a valid component.
    """
    return _interfaces(wasm, name)[0]


def _interfaces(wasm: bytes, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    import wasmtime
    import wasmtime.component

    found = "not the magic number of a component"
    if wasm.startswith(_MAGIC):
        engine = wasmtime.Engine()
        try:
            described = wasmtime.component.Component(engine, wasm).type
            return tuple(sorted(described.imports(engine))), tuple(
                sorted(described.exports(engine))
            )
        except wasmtime.WasmtimeError as error:
            found = printable(str(error).rstrip().splitlines()[-1].strip()[:200])
    raise PipelineError(
        Code.GUEST_BUILD, "The guest is not a valid component.", where=name, found=found
    )
