"""What ended a guest that did not end by itself, told so that its owner can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.command import Command
from pipeline.host.deadline import Deadline

if TYPE_CHECKING:
    import wasmtime

TABLES = 100
TABLE_ELEMENTS = 1_000_000


def failure(
    error: wasmtime.WasmtimeError | wasmtime.Trap | Exception,
    command: Command,
    used: int,
    deadline: Deadline,
) -> PipelineError:
    """Return the error that tells why a guest ended with ``used`` bytes of memory in use."""
    import wasmtime

    where = str(command.wasm)
    code = error.trap_code if isinstance(error, wasmtime.Trap) else None
    text = str(error)
    if deadline.passed:
        return too_late(command)
    if code is wasmtime.TrapCode.OUT_OF_FUEL:
        return PipelineError(
            Code.TIME_LIMIT,
            "The guest was ended, since it used up its fuel.",
            where=where,
            expected=f"at most {command.fuel} units of fuel",
        )
    if "incompatible import type" in text:
        return PipelineError(
            Code.GUEST_IMPORTS,
            "The guest imports something with another type than it has.",
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
            "The guest needs more memories or tables than it may have.",
            where=where,
            expected=f"one memory of at most {command.memory} bytes, {TABLES} tables of together "
            f"{TABLE_ELEMENTS} elements",
            detail=text,
        )
    if is_full(used, command.memory):
        return PipelineError(
            Code.MEMORY_LIMIT,
            "The guest failed with its memory full.",
            where=where,
            expected=f"at most {command.memory} bytes",
            found=f"{used} bytes in use",
            hint="Give it more memory.",
            detail=text,
        )
    trapped = isinstance(error, wasmtime.Trap) or "wasm backtrace" in text or "wasm trap" in text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return PipelineError(
        Code.GUEST_FAILED,
        "The guest trapped." if trapped else "The guest cannot be started.",
        where=where,
        found=lines[-1].removeprefix("wasm trap: ") if lines else type(error).__name__,
        hint=f"It had {used} of the {command.memory} bytes of memory that it may have."
        if used
        else "",
        detail=text,
    )


def too_late(command: Command) -> PipelineError:
    """Return the error of a guest that was still running at its time limit."""
    return PipelineError(
        Code.TIME_LIMIT,
        "The guest was ended, since it ran longer than its time limit.",
        where=str(command.wasm),
        expected=f"at most {command.seconds:g} s",
        hint="Give it more seconds if it is merely slow.",
    )


def too_large(command: Command) -> PipelineError:
    """Return the error of a guest that wrote more than it may."""
    return PipelineError(
        Code.STORAGE,
        "The guest was ended, since it wrote more than it may.",
        where=str(command.wasm),
        expected=f"at most {command.disk} bytes in its folders and on its streams together",
    )


def is_full(used: int, allowed: int) -> bool:
    """Tell whether a guest's memory has so little room left that an allocation may have failed.

    Wasmtime does not tell when it refuses to grow a memory; allocators grow by what they need, so
    a guest that runs out of memory mostly does with more than seven eighths in use.

    >>> is_full(used=60 << 20, allowed=64 << 20)
    True
    """
    return used >= allowed - allowed // 8
