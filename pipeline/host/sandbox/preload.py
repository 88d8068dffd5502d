"""Further modules of a guest, which it imports from: each an instance with its own memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.guest_program import check_imports, compile_module
from pipeline.host.sandbox.wasi import MODULE

if TYPE_CHECKING:
    import wasmtime


def preload(
    command: Command, engine: wasmtime.Engine, module_name: str
) -> list[tuple[str, wasmtime.Module]]:
    """Compile the modules that a guest imports from, in order.

    A module may import the functions of ``module_name``, and from those before it; nothing else
    reaches out. Raises PipelineError: USAGE, GUEST_BUILD, GUEST_IMPORTS, MEMORY_LIMIT.
    """
    modules: list[tuple[str, wasmtime.Module]] = []
    offered: set[tuple[str, str]] = set()
    for name, path in command.preloads:
        if not name or name in {module_name, MODULE, *(each for each, _ in modules)}:
            raise PipelineError(
                Code.USAGE,
                "A preloaded module needs a name of its own.",
                where=str(path),
                found=repr(name),
            )
        module = compile_module(engine, path, command.memory)
        own = {
            (each.module, each.name or "") for each in module.imports if each.module == module_name
        }
        check_imports(module, path, offered | own, (module_name, *(each for each, _ in modules)))
        offered |= {(name, each.name or "") for each in module.exports}
        modules.append((name, module))
    return modules


def instantiate(
    modules: list[tuple[str, wasmtime.Module]], linker: wasmtime.Linker, store: wasmtime.Store
) -> None:
    """Make the instances, and define their exports; raises WasmtimeError and Trap."""
    for name, module in modules:
        linker.define_instance(store, name, linker.instantiate(store, module))
