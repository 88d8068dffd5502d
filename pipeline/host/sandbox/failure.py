"""Errors for a guest that trapped, exceeded a limit or could not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.deadline import Deadline
from pipeline.host.sandbox.disk_limit import ENTRY_BYTES
from pipeline.host.sandbox.guest_command import Command

if TYPE_CHECKING:
    import wasmtime

_MORE_MEMORY = "Increase `memory` if an allocation failed."

# Wasmtime's words for a list beyond its limit.
_FUEL_OF_LISTS = "too much data is being copied"

TABLES = 100
TABLE_ELEMENTS = 1_000_000


def failure(
    error: wasmtime.WasmtimeError | wasmtime.Trap | Exception,
    command: Command,
    used: int,
    deadline: Deadline,
) -> PipelineError:
    """Return the error that describes why a guest ended, with ``used`` bytes of memory in use."""
    import wasmtime

    where = str(command.wasm)
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    text = str(error)
    if deadline.passed:
        return too_late(command)
    # A component's trap has no code.
    if code is wasmtime.TrapCode.OUT_OF_FUEL or "all fuel consumed" in text:
        return PipelineError(
            Code.TIME_LIMIT,
            "The guest ran out of fuel.",
            where=where,
            expected=f"at most {command.fuel} units of fuel",
        )
    if "incompatible import type" in text:
        return PipelineError(
            Code.GUEST_IMPORTS,
            "An import of the guest has the wrong signature.",
            where=where,
            detail=text,
        )
    if (
        "exceeds memory limits" in text
        or "exceeds table limits" in text
        or "resource limit exceeded" in text
    ):
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The guest exceeds the limit of memories or tables.",
            where=where,
            expected=f"one memory of at most {command.memory} bytes, {TABLES} tables with a total "
            f"of {TABLE_ELEMENTS} elements",
            detail=text,
        )
    if is_full(used, command.memory):
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The guest failed with its memory nearly full.",
            where=where,
            expected=f"at most {command.memory} bytes",
            found=f"{used} bytes in use",
            hint="Increase `memory`.",
            detail=text,
        )
    trapped = isinstance(error, wasmtime.Trap) or "wasm backtrace" in text or "wasm trap" in text
    if _FUEL_OF_LISTS in text:
        return PipelineError(
            Code.GUEST_FAILED,
            "The component passes more in one call than Wasmtime copies.",
            where=where,
            expected="lists of at most 2.6 MiB in a call",
            hint="Load large models by name (`graphs`), or build the component from a core module "
            "with the usual adapter, whose lists have no limit.",
            detail=text,
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return PipelineError(
        Code.GUEST_FAILED,
        "The guest trapped." if trapped else "Cannot start the guest.",
        where=where,
        found=lines[-1].removeprefix("wasm trap: ") if lines else type(error).__name__,
        hint=_memory_hint(used, command.memory, code) if used else "",
        detail=text,
    )


def _memory_hint(used: int, allowed: int, code: wasmtime.TrapCode | None) -> str:
    import wasmtime

    hint = f"It used {used} of at most {allowed} bytes of memory."
    return f"{hint} {_MORE_MEMORY}" if code is wasmtime.TrapCode.UNREACHABLE else hint


def too_late(command: Command) -> PipelineError:
    """Return the error of a guest that exceeded its time limit."""
    return PipelineError(
        Code.TIME_LIMIT,
        "The guest exceeded its time limit.",
        where=str(command.wasm),
        expected=f"at most {command.seconds:g} s",
        hint="Increase the time limit if the guest is just slow.",
    )


def too_large(command: Command) -> PipelineError:
    """Return the error of a guest that exceeded its disk limit."""
    return PipelineError(
        Code.STORAGE,
        "The guest exceeded its disk limit.",
        where=str(command.wasm),
        expected=f"at most {command.disk} bytes in total in its folders and output streams, with "
        f"{ENTRY_BYTES} more for each file",
        hint="Increase `disk` if it needs more.",
    )


def is_full(used: int, allowed: int) -> bool:
    """Return whether so little memory is left that an allocation may have failed.

    Wasmtime does not report a refused growth of memory. Allocators grow by what they need, so a
    guest that runs out of memory usually has more than seven eighths in use.

    >>> is_full(used=60 << 20, allowed=64 << 20)
    True
    """
    return used >= allowed - allowed // 8
