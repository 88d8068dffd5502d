"""The sandbox: runs a WASI command with its folders, no environment, and limits.

A guest has access to its preopens, its arguments, wasi-nn and the clocks, but not to the
environment, the network or other files. The time limit interrupts the guest's code, and an
inference between two nodes; neither stops a call that hangs inside the host (a sleep, a read from a
terminal, a compilation, one endless node), so run untrusted guests in a process that can be killed.
The memory limit applies to the guest, not to the models that it loads. Wasmtime does not move more
than 128 MiB in one call (errno ENOMEM for the guest); see transfers.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.host.abi.memory import Memory
from pipeline.host.sandbox import large_io
from pipeline.host.sandbox.deadline import Deadline
from pipeline.host.sandbox.disk_limit import DiskLimit
from pipeline.host.sandbox.failure import TABLE_ELEMENTS, TABLES, failure, too_large, too_late
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.guest_program import check_imports, load_program
from pipeline.host.sandbox.wasi import MODULE, configure, define_exit

if TYPE_CHECKING:
    import wasmtime


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """Result of a guest that exited by itself: exit code (u32), and memory size in bytes."""

    exit_code: int
    memory: int


# A host function: takes the guest's memory and u32s, returns an i32.
HostFunction = Callable[[Memory | None, Sequence[int]], int]


def run_command(
    command: Command,
    module_name: str,
    functions: Mapping[str, tuple[int, HostFunction]],
    interrupt: Callable[[], None],
) -> CommandResult:
    """Run a guest that imports ``functions``, each with its number of i32 parameters.

    ``interrupt`` is called from another thread at the time limit. Raises PipelineError: USAGE,
    GUEST_BUILD and GUEST_IMPORTS before the guest runs; TIME_LIMIT, MEMORY_LIMIT, STORAGE (disk
    limit) and GUEST_FAILED (a trap) if it does not exit by itself.
    """
    import wasmtime

    engine = start_engine(command)

    def stop() -> None:
        engine.increment_epoch()
        interrupt()

    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    places = [each.host for each in command.dirs if each.writable]
    places += [stream for stream in (command.stdout, command.stderr) if stream]
    with (
        Deadline(command.seconds, stop) as deadline,
        DiskLimit(places, command.disk, stop) as quota,
    ):
        try:
            ended = _run(command, engine, store, module_name, functions, deadline)
        except PipelineError:
            if quota.exceeded:
                raise too_large(command) from None
            raise
        finally:
            store.close()
        if quota.check():
            raise too_large(command)
        return ended


def _run(
    command: Command,
    engine: wasmtime.Engine,
    store: wasmtime.Store,
    module_name: str,
    functions: Mapping[str, tuple[int, HostFunction]],
    deadline: Deadline,
) -> CommandResult:
    import wasmtime

    from pipeline.host.sandbox.host_callbacks import HostCallbacks

    store.set_limits(
        memory_size=command.memory,
        table_elements=TABLE_ELEMENTS,
        instances=1 + large_io.INSTANCES,
        tables=TABLES + large_io.TABLES,
        memories=1,
    )
    if command.fuel is not None:
        store.set_fuel(command.fuel)
    module = load_program(engine, command.wasm, command.memory)
    store.set_wasi(configure(command))
    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    exits: list[int] = []
    callbacks = HostCallbacks()
    define_exit(callbacks, linker, exits)
    for name, (count, function) in functions.items():
        callbacks.define(linker, module_name, name, count, function)
    _check_linkable(linker, store, module, command.wasm, module_name, functions)
    gate = large_io.wrap(linker, store, module)
    memory: wasmtime.Memory | None = None
    try:
        exports = linker.instantiate(store, module).exports(store)
        found, start = exports["memory"], exports["_start"]
        assert isinstance(found, wasmtime.Memory)
        assert isinstance(start, wasmtime.Func)
        memory = found
        gate.open(memory)
        start(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        if callbacks.failure is not None and not exits:
            raise callbacks.failure from None
        if not exits:
            used = memory.data_len(store) if memory is not None else 0
            raise failure(error, command, used, deadline) from None
    # The last inference may have been cancelled, so its results do not count.
    if deadline.passed:
        raise too_late(command)
    used = memory.data_len(store) if memory is not None else 0
    return CommandResult(exit_code=exits[0] if exits else 0, memory=used)


def start_engine(command: Command) -> wasmtime.Engine:
    """Return an engine to compile and run one guest; each has its own epoch and limits."""
    import wasmtime

    config = wasmtime.Config()
    config.epoch_interruption = True
    # Libraries that read models install signal handlers ahead of wasmtime's, so a trap by signal
    # would kill the process.
    config.signals_based_traps = False
    config.consume_fuel = command.fuel is not None
    # The ABI's pointers are i32.
    config.wasm_memory64 = False
    # Wasmtime's code cache in the user's cache folder; if unavailable, it compiles every time.
    with suppress(wasmtime.WasmtimeError):
        config.cache = True
    return wasmtime.Engine(config)


def _check_linkable(
    linker: wasmtime.Linker,
    store: wasmtime.Store,
    module: wasmtime.Module,
    path: Path,
    module_name: str,
    functions: Mapping[str, object],
) -> None:
    import wasmtime

    offered = {(module_name, name) for name in functions}
    for each in module.imports:
        if each.module == MODULE and each.name is not None:
            try:
                linker.get(store, MODULE, each.name)
            except wasmtime.WasmtimeError:
                continue
            offered.add((MODULE, each.name))
    check_imports(module, path, offered, (module_name, MODULE))
