"""The sandbox: a WASI command in wasmtime, with only the folders and amounts that it is given."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError

_WASI = "wasi_snapshot_preview1"
# A guest that failed with this share of its memory in use most likely failed for want of more.
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Preopen:
    """A folder of the host under the name by which the guest knows it."""

    host: Path
    guest: str
    writable: bool = False


@dataclass(frozen=True)
class Limits:
    """Wall seconds, bytes of linear memory, and instructions (roughly) or no limit on them."""

    seconds: float
    memory: int
    fuel: int | None = None


@dataclass(frozen=True)
class Streams:
    """Files for stdout and stderr; without one, this process's own."""

    stdout: Path | None = None
    stderr: Path | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, wall seconds and the bytes of memory it had."""

    exit_code: int
    seconds: float
    memory: int


class _Exit(Exception):
    """The guest called proc_exit."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run_command(
    wasm: Path,
    args: Sequence[str],
    dirs: Sequence[Preopen],
    limits: Limits,
    streams: Streams,
    define: Callable[[Any], None],
) -> Ended:
    """Run ``_start`` of a core module; ``define`` adds imports to the linker. See Host.run."""
    import wasmtime

    config = wasmtime.Config()
    config.epoch_interruption = True
    config.consume_fuel = limits.fuel is not None
    engine = wasmtime.Engine(config)
    module = _compile(engine, wasm)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    # wasmtime's own proc_exit loses exit codes of 126 and more.
    linker.allow_shadowing = True
    linker.define_func(_WASI, "proc_exit", wasmtime.FuncType([wasmtime.ValType.i32()], []), _exit)
    define(linker)

    with wasmtime.Store(engine) as store:
        store.set_limits(memory_size=limits.memory)
        store.set_epoch_deadline(1)
        if limits.fuel is not None:
            store.set_fuel(limits.fuel)
        store.set_wasi(_wasi(wasm, args, dirs, streams))
        timer = threading.Timer(limits.seconds, engine.increment_epoch)
        timer.daemon = True
        timer.start()
        started = time.perf_counter()
        memory: list[Any] = []
        try:
            code = _start(linker, store, module, memory)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            used = memory[0].data_len(store) if memory else 0
            raise _failure(error, wasm, limits, used) from None
        finally:
            timer.cancel()
        seconds = time.perf_counter() - started
        return Ended(code, seconds, memory[0].data_len(store))


def _compile(engine: Any, wasm: Path) -> Any:
    import wasmtime

    def refuse(message: str, found: str = "", hint: str = "") -> PipelineError:
        return PipelineError(Code.HOST, message, where=str(wasm), found=found, hint=hint)

    try:
        module = wasmtime.Module(engine, wasm.read_bytes())
    except OSError as error:
        raise refuse("The guest cannot be read.", error.strerror or str(error)) from None
    except wasmtime.WasmtimeError as error:
        found = str(error).splitlines()[-1].strip()
        hint = "A core module is expected, built for wasm32-wasi (preview 1)."
        raise refuse("The guest is not a WebAssembly core module.", found, hint) from None
    exports = {export.name: export.type for export in module.exports}
    if not isinstance(exports.get("_start"), wasmtime.FuncType):
        hint = "Build it as a command, not as a library."
        raise refuse("The guest has no _start to run.", ", ".join(sorted(exports)), hint)
    if not isinstance(exports.get("memory"), wasmtime.MemoryType):
        hint = "wasi-nn passes tensors through the export 'memory'."
        raise refuse("The guest does not export its memory.", ", ".join(sorted(exports)), hint)
    return module


def _wasi(wasm: Path, args: Sequence[str], dirs: Sequence[Preopen], streams: Streams) -> Any:
    import wasmtime

    wasi = wasmtime.WasiConfig()
    wasi.argv = [wasm.name, *args]
    if streams.stdout is None:
        wasi.inherit_stdout()
    else:
        wasi.stdout_file = str(streams.stdout)
    if streams.stderr is None:
        wasi.inherit_stderr()
    else:
        wasi.stderr_file = str(streams.stderr)
    for preopen in dirs:
        if not preopen.host.is_dir():
            raise PipelineError(
                Code.USAGE,
                "A folder for the guest does not exist.",
                where=f"{preopen.host}::{preopen.guest}",
                hint="Run doit to build the fixtures, or correct the path.",
            )
        wasi.preopen_dir(str(preopen.host), preopen.guest, preopen.writable)
    return wasi


def _start(linker: Any, store: Any, module: Any, memory: list[Any]) -> int:
    instance = linker.instantiate(store, module)
    exports = instance.exports(store)
    memory.append(exports["memory"])
    try:
        exports["_start"](store)
    except _Exit as ended:
        return ended.code
    return 0


def _exit(code: int) -> None:
    raise _Exit(code & 0xFFFFFFFF)


def _failure(error: Exception, wasm: Path, limits: Limits, used: int) -> PipelineError:
    text = str(error)
    allowed = f"{limits.memory // 2**20} MiB"
    if "wasm trap: interrupt" in text:
        return PipelineError(
            Code.TIME_LIMIT,
            "The guest was ended, since it ran longer than its time limit.",
            where=wasm.name,
            expected=f"at most {limits.seconds:g} s",
            hint="Raise the limit if the guest is merely slow.",
        )
    if "exceeds memory limits" in text or used > _NEARLY_ALL * limits.memory:
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The guest needs more memory than it may have.",
            where=wasm.name,
            expected=f"at most {allowed}",
            found=f"{used // 2**20} MiB when it failed" if used else "more from the start",
            hint="Raise the limit if the guest really needs more.",
            detail=_first_lines(text),
        )
    if "fuel" in text:
        message = "The guest was ended, since it ran out of fuel."
        return PipelineError(Code.TIME_LIMIT, message, where=wasm.name, expected=f"{limits.fuel}")
    unknown = re.search(r"unknown import: `([^`]+)`", text)
    if unknown:
        return PipelineError(
            Code.GUEST_IMPORTS,
            "The guest imports what this host does not offer.",
            where=wasm.name,
            found=unknown[1].replace("::", "."),
            hint="The host offers wasi_ephemeral_nn and wasi_snapshot_preview1.",
        )
    return PipelineError(
        Code.GUEST_FAILED,
        "The guest trapped.",
        where=wasm.name,
        found=text.rstrip().splitlines()[-1].strip() if text.strip() else "",
        detail=_first_lines(text),
    )


def _first_lines(text: str) -> str:
    return "\n".join(text.splitlines()[:12])
