"""Run a component in the sandbox: WASI 0.2 by Wasmtime, with the limits of a core module.

Sockets exist, and every address is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.component_program import load_component, not_linkable
from pipeline.host.sandbox.failure import TABLE_ELEMENTS, TABLES, failure
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.limited import AnyServed, CommandResult, Limited, run_limited
from pipeline.host.sandbox.wasi import configure

if TYPE_CHECKING:
    import wasmtime
    from wasmtime import component

# Core instances of a component: its modules, the adapter, and those that link them.
_INSTANCES = 100


def run_component(
    command: Command,
    served: Collection[str],
    serve: Callable[[component.Linker], AnyServed],
) -> CommandResult[AnyServed]:
    """Run a component, for which ``serve`` defines the interfaces ``served`` in its linker.

    They are cancelled at the time limit. Raises PipelineError: USAGE, GUEST_BUILD and GUEST_IMPORTS
    before the guest runs; TIME_LIMIT, MEMORY_LIMIT, STORAGE (disk limit) and GUEST_FAILED (a trap)
    if it does not exit by itself.
    """
    return run_limited(command, lambda limited: _run(command, limited, served, serve))


def _run(
    command: Command,
    limited: Limited[AnyServed],
    served: Collection[str],
    serve: Callable[[component.Linker], AnyServed],
) -> CommandResult[AnyServed]:
    import wasmtime
    from wasmtime import component

    engine, store = limited.engine, limited.store
    store.set_limits(
        memory_size=command.memory,
        table_elements=TABLE_ELEMENTS,
        instances=_INSTANCES,
        tables=TABLES,
        memories=1,
    )
    program = load_component(engine, command.wasm, served)
    store.set_wasi(configure(command))
    linker = component.Linker(engine)
    linker.add_wasip2()
    limited.served.append(serve(linker))
    try:
        instance = linker.instantiate(store, program.component)
        exit_code = 0 if _call_run(instance, store, program.run, command) else 1
    except wasmtime.ExitTrap as ended:
        exit_code = ended.code
    except wasmtime.WasmtimeError as error:
        raise not_linkable(error, command.wasm) or failure(
            error, command, 0, limited.deadline
        ) from None
    return CommandResult(
        exit_code=exit_code, memory=0, calls=limited.served[0], refused_write=False
    )


def _call_run(
    instance: component.Instance, store: wasmtime.Store, name: str, command: Command
) -> bool:
    """Call the function of wasi:cli/run; return whether it succeeded."""
    from wasmtime import component

    index = instance.get_export_index(store, name)
    index = index and instance.get_export_index(store, "run", index)
    function = index and instance.get_func(store, index)
    kind = function and function.type(store)
    if not function or not kind or kind.params or not _is_plain_result(kind.result):
        raise PipelineError(
            Code.GUEST_BUILD,
            "The component's wasi:cli/run has no function run without parameters that returns a "
            "result.",
            where=str(command.wasm),
        )
    returned = function(store)
    return isinstance(returned, component.Variant) and returned.tag == "ok"


def _is_plain_result(kind: object) -> bool:
    from wasmtime import component

    return isinstance(kind, component.ResultType) and kind.ok is None and kind.err is None
