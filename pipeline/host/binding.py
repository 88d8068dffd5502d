"""The functions of wasi-nn as imports of a guest: errno out, messages to a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pipeline.host.abi import FUNCTIONS, MODULE, Errno, Refusal
from pipeline.host.functions import Functions
from pipeline.host.memory import GuestMemory

Say = Callable[[str], None]


def bind(linker: Any, functions: Functions, say: Say, *, trace: Say | None) -> None:
    """Define every function of the module in a wasmtime linker.

    ``say`` hears why a call was refused, ``trace`` hears each call with its time. Nothing that a
    call meets is raised into the guest: what has no errno of its own is a runtime error.
    """
    import wasmtime

    i32 = wasmtime.ValType.i32()
    for name, count in FUNCTIONS.items():
        kind = wasmtime.FuncType([i32] * count, [i32])
        call = _call(name, getattr(functions, name), say, trace)
        linker.define_func(MODULE, name, kind, call, access_caller=True)


def _call(name: str, function: Callable[..., None], say: Say, trace: Say | None) -> Any:
    def called(caller: Any, *arguments: int) -> int:
        started = time.perf_counter()
        errno, message = _answer(function, caller, arguments)
        if errno is not Errno.SUCCESS:
            say(f"{name}: {message} (errno {errno.value}, {errno.name.lower()})")
        if trace is not None:
            shown = ", ".join(str(argument & 0xFFFFFFFF) for argument in arguments)
            micros = (time.perf_counter() - started) * 1e6
            trace(f"{name}({shown}) = {errno.value} in {micros:.0f} µs")
        return int(errno)

    return called


def _answer(
    function: Callable[..., None], caller: Any, arguments: tuple[int, ...]
) -> tuple[Errno, str]:
    try:
        function(GuestMemory(caller["memory"], caller), *arguments)
    except Refusal as refusal:
        return refusal.errno, str(refusal)
    except MemoryError:
        return Errno.TOO_LARGE, "the host has no memory for it"
    except Exception as error:
        return Errno.RUNTIME_ERROR, f"{type(error).__name__}: {error}"
    return Errno.SUCCESS, ""
