"""The sandbox: runs a WASI command with its folders, no environment, and limits.

A guest has access to its preopens, its arguments, wasi-nn and the clocks, but not to the
environment, the network or other files. The time limit interrupts the guest's code, and an
inference between two nodes; neither stops a call that hangs inside the host (a sleep, a read from a
terminal, a compilation, one endless node), so run untrusted guests in a process that can be killed.
The memory limit applies to the guest, not to the models that it loads. Wasmtime does not move more
than 128 MiB in one call (errno ENOMEM for the guest); see large_io.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pipeline.errors import PipelineError
from pipeline.host.sandbox import large_io
from pipeline.host.sandbox.deadline import Deadline
from pipeline.host.sandbox.disk_limit import DiskLimit
from pipeline.host.sandbox.failure import TABLE_ELEMENTS, TABLES, failure, too_large, too_late
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.guest_program import check_imports, load_program
from pipeline.host.sandbox.wasi import MODULE, configure, define_exit

if TYPE_CHECKING:
    import wasmtime

REFUSED_WRITE = (
    "a write to a folder was refused: folders are read-only unless preopened as HOST::GUEST::rw"
)


class Served(Protocol):
    """The host functions that a guest got."""

    def cancel(self) -> None:
        """Interrupt a running one; called from another thread."""
        ...

    def close(self) -> None:
        """Release what they hold for the guest."""
        ...


_Served = TypeVar("_Served", bound=Served)


@dataclass(frozen=True, kw_only=True)
class CommandResult(Generic[_Served]):
    """Result of a guest that exited by itself: exit code (u32), and memory size in bytes.

    ``calls`` are the host functions that it got. ``refused_write`` is whether it tried to write to
    a read-only folder.
    """

    exit_code: int
    memory: int
    calls: _Served
    refused_write: bool


def run_command(
    command: Command,
    module_name: str,
    serve: Callable[[wasmtime.Linker, wasmtime.Store], _Served],
) -> CommandResult[_Served]:
    """Run a guest, for which ``serve`` defines the functions of a module in its linker.

    They are cancelled at the time limit. Raises PipelineError: USAGE, GUEST_BUILD and GUEST_IMPORTS
    before the guest runs; TIME_LIMIT, MEMORY_LIMIT, STORAGE (disk limit) and GUEST_FAILED (a trap)
    if it does not exit by itself.
    """
    import wasmtime

    engine = start_engine(command)

    served: list[_Served] = []

    def stop() -> None:
        engine.increment_epoch()
        for each in served:
            each.cancel()

    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    places = [each.host for each in command.dirs if each.writable]
    places += [stream for stream in (command.stdout, command.stderr) if stream]
    with (
        Deadline(command.seconds, stop) as deadline,
        DiskLimit(places, command.disk, stop) as quota,
    ):
        try:
            ended = _run(command, engine, store, module_name, serve, served, deadline)
        except PipelineError:
            if quota.exceeded:
                raise too_large(command) from None
            raise
        finally:
            store.close()
            for each in served:
                each.close()
        if quota.check():
            raise too_large(command)
        # Graphs and contexts were released meanwhile, which takes long if there are many.
        if deadline.passed:
            raise too_late(command)
        return ended


def _run(
    command: Command,
    engine: wasmtime.Engine,
    store: wasmtime.Store,
    module_name: str,
    serve: Callable[[wasmtime.Linker, wasmtime.Store], _Served],
    served: list[_Served],
    deadline: Deadline,
) -> CommandResult[_Served]:
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
    program = load_program(engine, command.wasm, command.memory)
    module = program.module
    store.set_wasi(configure(command))
    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    exits: list[int] = []
    callbacks = HostCallbacks()
    define_exit(callbacks, linker, exits)
    served.append(serve(linker, store))
    _check_linkable(linker, store, module, command.wasm, module_name)
    gate = large_io.wrap(linker, store, module)
    memory: wasmtime.Memory | None = None
    try:
        exports = linker.instantiate(store, module).exports(store)
        found = exports["memory"]
        assert isinstance(found, wasmtime.Memory)
        memory = found
        gate.open(memory)
        for name in program.functions:
            start = exports[name]
            assert isinstance(start, wasmtime.Func)
            start(store)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        if not exits:
            used = memory.data_len(store) if memory is not None else 0
            problem = failure(error, command, used, deadline)
            if gate.refused_write():
                problem.detail = f"{problem.detail.rstrip()}\n{REFUSED_WRITE}"
            raise problem from None
    # The last inference may have been cancelled, so its results do not count.
    if deadline.passed:
        raise too_late(command)
    used = memory.data_len(store) if memory is not None else 0
    return CommandResult(
        exit_code=exits[0] if exits else 0,
        memory=used,
        calls=served[0],
        refused_write=gate.refused_write(),
    )


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
) -> None:
    import wasmtime

    offered = set()
    for each in module.imports:
        if each.module in (module_name, MODULE) and each.name is not None:
            try:
                linker.get(store, each.module, each.name)
            except wasmtime.WasmtimeError:
                continue
            offered.add((each.module, each.name))
    check_imports(module, path, offered, (module_name, MODULE))
