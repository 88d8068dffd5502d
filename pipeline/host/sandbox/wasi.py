"""WASI preview 1 for a guest: folders, streams, arguments, its own environment; no network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError
from pipeline.host.sandbox.guest_command import Command
from pipeline.host.sandbox.terminal_output import TerminalOutput

if TYPE_CHECKING:
    import wasmtime

    from pipeline.host.sandbox.host_callbacks import HostCallbacks

MODULE = "wasi_snapshot_preview1"

_COLONS = "Two colons separate the folders, the host's first: HOST::GUEST (WasmEdge: GUEST:HOST)."


class ProcExit(Exception):
    """The guest called proc_exit."""


def define_exit(callbacks: HostCallbacks, linker: wasmtime.Linker, exits: list[int]) -> None:
    """Define proc_exit, which appends the code to ``exits`` and traps the guest."""

    # Wasmtime's own proc_exit rejects codes from 126 on, and loses the number.
    def proc_exit(_memory: object, code: int) -> int:
        exits.append(code)
        raise ProcExit

    callbacks.define(linker, MODULE, "proc_exit", 1, proc_exit, results=0)


def configure(command: Command) -> wasmtime.WasiConfig:
    """Return the guest's WASI configuration; raises PipelineError (USAGE)."""
    import wasmtime

    wasi = wasmtime.WasiConfig()
    wasi.argv = [_text(each, "argument") for each in (command.wasm.name, *command.args)]
    wasi.env = [(_name(name), _text(value, "variable")) for name, value in command.env]
    if command.inherit_stdin:
        wasi.inherit_stdin()
    if command.stdout is None:
        _inherit(wasi, "stdout", 1)
    else:
        _redirect(wasi, "stdout_file", command.stdout)
    if command.stderr is None:
        _inherit(wasi, "stderr", 2)
    else:
        _redirect(wasi, "stderr_file", command.stderr)
    names = [each.guest for each in command.dirs]
    for each in command.dirs:
        where = f"{each.host}::{each.guest}"
        if not each.host.is_dir():
            raise PipelineError(
                Code.USAGE,
                "No such folder to preopen.",
                where=where,
                hint=_COLONS if ":" in str(each.host) else "",
            )
        if not each.guest or names.count(each.guest) > 1:
            raise PipelineError(
                Code.USAGE, "Each preopened folder needs a unique name.", where=where
            )
        try:
            wasi.preopen_dir(
                _text(str(each.host), "path"), _text(each.guest, "path"), each.writable
            )
        except wasmtime.WasmtimeError:
            raise PipelineError(Code.USAGE, "Cannot preopen the folder.", where=where) from None
    return wasi


def _inherit(wasi: wasmtime.WasiConfig, stream: str, descriptor: int) -> None:
    if os.isatty(descriptor):
        setattr(wasi, f"{stream}_custom", TerminalOutput(descriptor).write)
    else:
        getattr(wasi, f"inherit_{stream}")()


def _redirect(wasi: wasmtime.WasiConfig, stream: str, path: Path) -> None:
    import wasmtime

    try:
        setattr(wasi, stream, _text(str(path), "path"))
    except wasmtime.WasmtimeError:
        raise PipelineError(
            Code.USAGE, "Cannot write the file for the guest's output.", where=str(path)
        ) from None


def _name(name: str) -> str:
    if not name or "=" in name:
        raise PipelineError(
            Code.USAGE, "Invalid name of an environment variable for a guest.", found=repr(name)
        )
    return _text(name, "variable")


def _text(text: str, what: str) -> str:
    # wasmtime would truncate a string at its first NUL.
    try:
        whole = "\0" not in text and bool(text.encode() or True)
    except UnicodeEncodeError:
        whole = False
    if not whole:
        raise PipelineError(
            Code.USAGE,
            f"Invalid {what} for a guest.",
            found=repr(text),
            expected="UTF-8 without NUL",
        )
    return text
