"""The limits around a guest, whatever it is: its engine, time and disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from pipeline.errors import PipelineError
from pipeline.host.sandbox.deadline import Deadline
from pipeline.host.sandbox.disk_limit import DiskLimit
from pipeline.host.sandbox.failure import too_large, too_late
from pipeline.host.sandbox.guest_command import Command

if TYPE_CHECKING:
    import wasmtime


class Served(Protocol):
    """The host functions that a guest got."""

    def cancel(self) -> None:
        """Interrupt a running one; called from another thread."""
        ...

    def close(self) -> None:
        """Release what they hold for the guest."""
        ...


AnyServed = TypeVar("AnyServed", bound=Served)


@dataclass(frozen=True, kw_only=True)
class CommandResult(Generic[AnyServed]):
    """Result of a guest that exited by itself: exit code (u32), and memory size in bytes.

    ``calls`` are the host functions that it got. ``refused_write`` is whether it tried to write to
    a read-only folder; both that and ``memory`` are unknown, False and 0, of a component that
    Wasmtime runs as one.
    """

    exit_code: int
    memory: int
    calls: AnyServed
    refused_write: bool


@dataclass(frozen=True, kw_only=True)
class Limited(Generic[AnyServed]):
    """A guest's engine and store, its time limit, and where its host functions are put."""

    engine: wasmtime.Engine
    store: wasmtime.Store
    deadline: Deadline
    served: list[AnyServed]


def run_limited(
    command: Command, run: Callable[[Limited[AnyServed]], CommandResult[AnyServed]]
) -> CommandResult[AnyServed]:
    """Run a guest in a new engine, within its limits of time and disk.

    Raises what ``run`` raises, and PipelineError: TIME_LIMIT and STORAGE (disk limit).
    """
    import wasmtime

    engine = start_engine(command)
    served: list[AnyServed] = []

    def stop() -> None:
        engine.increment_epoch()
        for each in served:
            each.cancel()

    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    if command.fuel is not None:
        store.set_fuel(command.fuel)
    places = [each.host for each in command.dirs if each.writable]
    places += [stream for stream in (command.stdout, command.stderr) if stream]
    with (
        Deadline(command.seconds, stop) as deadline,
        DiskLimit(places, command.disk, stop) as quota,
    ):
        try:
            ended = run(Limited(engine=engine, store=store, deadline=deadline, served=served))
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
        # The last inference may have been cancelled, so its results do not count. And graphs and
        # contexts were released meanwhile, which takes long if there are many.
        if deadline.passed:
            raise too_late(command)
        return ended


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
