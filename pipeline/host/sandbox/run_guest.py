"""The sandbox: runs a WASI command with its folders, no environment, and limits.

A guest has access to its preopens, its arguments, wasi-nn and the clocks, but not to the
environment, the network or other files. The time limit interrupts the guest's code, and an
inference between two nodes; neither stops a call that hangs inside the host (a sleep, a read from a
terminal, a compilation, one endless node), so run untrusted guests in a process that can be killed.
The memory limit applies to the guest, not to the models that it loads. Wasmtime does not move more
than 128 MiB in one call (errno ENOMEM for the guest); see large_io.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic

from pipeline.host.sandbox import large_io
from pipeline.host.sandbox.failure import TABLE_ELEMENTS, TABLES, failure
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.guest_program import check_imports, load_program
from pipeline.host.sandbox.limited import AnyServed, CommandResult, Limited, run_limited
from pipeline.host.sandbox.preload import instantiate, preload
from pipeline.host.sandbox.wasi import MODULE, configure, define_exit

if TYPE_CHECKING:
    import wasmtime

REFUSED_WRITE = (
    "a write to a folder was refused: folders are read-only unless preopened as HOST::GUEST::rw"
)


# Receives the instance's exports and the store, before any code of the guest runs.
Opened = Callable[[Mapping[str, object], "wasmtime.Store"], None]


@dataclass(frozen=True, kw_only=True)
class ModuleGuest(Generic[AnyServed]):
    """What a core module gets: ``serve`` defines the functions of ``modules`` in its linker.

    ``wasm`` is the module if it is part of the command's file.
    """

    modules: tuple[str, ...]
    serve: Callable[[wasmtime.Linker, wasmtime.Store], AnyServed]
    wasm: bytes | None = None
    opened: Opened | None = None


def run_command(command: Command, guest: ModuleGuest[AnyServed]) -> CommandResult[AnyServed]:
    """Run a guest with the functions that it gets.

    They are cancelled at the time limit. Raises PipelineError: USAGE, GUEST_BUILD and GUEST_IMPORTS
    before the guest runs; TIME_LIMIT, MEMORY_LIMIT, STORAGE (disk limit) and GUEST_FAILED (a trap)
    if it does not exit by itself.
    """
    return run_limited(command, lambda limited: _run(command, limited, guest))


def _run(
    command: Command,
    limited: Limited[AnyServed],
    guest: ModuleGuest[AnyServed],
) -> CommandResult[AnyServed]:
    import wasmtime

    from pipeline.host.sandbox.host_callbacks import HostCallbacks

    engine, store = limited.engine, limited.store
    count = 1 + len(command.preloads)
    store.set_limits(
        memory_size=command.memory,
        table_elements=TABLE_ELEMENTS,
        instances=count + large_io.INSTANCES,
        tables=count * TABLES + large_io.TABLES,
        memories=count,
    )
    program = load_program(engine, command.wasm, command.memory, guest.wasm)
    module = program.module
    preloads = preload(command, engine, guest.modules[0])
    store.set_wasi(configure(command))
    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    exits: list[int] = []
    callbacks = HostCallbacks()
    define_exit(callbacks, linker, exits)
    limited.served.append(guest.serve(linker, store))
    exported = {(name, each.name or "") for name, other in preloads for each in other.exports}
    _check_linkable(linker, store, module, command.wasm, guest.modules, exported)
    gate = large_io.wrap(linker, store, module)
    memory: wasmtime.Memory | None = None
    try:
        instantiate(preloads, linker, store)
        exports = linker.instantiate(store, module).exports(store)
        found = exports["memory"]
        assert isinstance(found, wasmtime.Memory)
        memory = found
        gate.open(memory)
        if guest.opened is not None:
            guest.opened(exports, store)
        for name in program.functions:
            start = exports[name]
            assert isinstance(start, wasmtime.Func)
            start(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        if not exits:
            used = memory.data_len(store) if memory is not None else 0
            problem = failure(error, command, used, limited.deadline)
            if gate.refused_write():
                problem.detail = f"{problem.detail.rstrip()}\n{REFUSED_WRITE}"
            raise problem from None
    used = memory.data_len(store) if memory is not None else 0
    return CommandResult(
        exit_code=exits[0] if exits else 0,
        memory=used,
        calls=limited.served[0],
        refused_write=gate.refused_write(),
    )


def _check_linkable(
    linker: wasmtime.Linker,
    store: wasmtime.Store,
    module: wasmtime.Module,
    path: Path,
    modules: Collection[str],
    exported: set[tuple[str, str]],
) -> None:
    import wasmtime

    offered = set(exported)
    for each in module.imports:
        if each.module in (*modules, MODULE) and each.name is not None:
            try:
                linker.get(store, each.module, each.name)
            except wasmtime.WasmtimeError:
                continue
            offered.add((each.module, each.name))
    names = dict.fromkeys((*modules, MODULE, *(name for name, _ in exported)))
    check_imports(module, path, offered, tuple(names))
