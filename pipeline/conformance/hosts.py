"""The hosts to test: this project's, known runtimes by their adapters, and any command."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.child_python.commands import module_command
from pipeline.conformance.kit.adapters import iwasm, wasi_nn, wasmedge, wasmtime
from pipeline.conformance.kit.cases import ConformanceHost
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.verify.peers import wasmtime_command, wasmtime_environment

THIS = "this host"
KNOWN = ("wasmtime", "wasmedge", "iwasm")

_VERSION_SECONDS = 30.0


def this_host() -> ConformanceHost:
    """Return the embedded host, run by its command line."""
    from importlib.metadata import version

    return ConformanceHost(
        THIS,
        version("wasi-nn-pipeline"),
        module_command("pipeline.cli.main", "run", "{graph}", "{wasm}", "{args}"),
        wasi_nn.GRAPH,
        options=wasi_nn.OPTIONS,
    )


def named_host(text: str, tools: Path) -> ConformanceHost:
    """Return a known host, or the host of a command that contains ``{wasm}``.

    ``tools`` is an existing folder where programs may be installed. Raises PipelineError (USAGE,
    TOOLCHAIN).
    """
    if text == "wasmtime":
        program = str(wasmtime_command(tools))
        command = [program, *wasmtime.COMMAND[len(wasmtime.PROGRAM) :]]
        return ConformanceHost(
            wasmtime.get_name(),
            _version(program, tools),
            command,
            wasmtime.GRAPH,
            environment=wasmtime_environment(tools),
            options=wasmtime.OPTIONS,
        )
    if text == "wasmedge":
        program = _program(wasmedge.get_name(), wasmedge.PROGRAM, text)
        command = [program, *wasmedge.COMMAND[len(wasmedge.PROGRAM) :]]
        return ConformanceHost(
            wasmedge.get_name(), _version(program, tools), command, wasmedge.GRAPH
        )
    if text == "iwasm":
        program = _program(iwasm.get_name(), iwasm.PROGRAM, text)
        command = [program, *iwasm.COMMAND[len(iwasm.PROGRAM) :]]
        version = _version(program, tools)
        return ConformanceHost(iwasm.get_name(), version, command, iwasm.GRAPH, iwasm.FOLDER)
    return _commanded(text)


def words_of(text: str, option: str) -> list[str]:
    """Return the words of a command line; raises PipelineError (USAGE)."""
    try:
        return shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise PipelineError(
            Code.USAGE, f"Invalid {option}.", where=f"{option} {text}", found=str(error)
        ) from None


def _commanded(text: str) -> ConformanceHost:
    parts = words_of(text, "--host")
    if not any("{wasm}" in part for part in parts):
        raise PipelineError(
            Code.USAGE,
            "Invalid --host.",
            where=f"--host {text}",
            expected=f"this, {', '.join(KNOWN)}, or a command with {{wasm}}",
            found="no {wasm}",
        )
    return ConformanceHost(Path(parts[0]).name, "", parts)


def _program(name: str, program: Sequence[str], host: str) -> str:
    path = shutil.which(program[0])
    if path is None:
        raise PipelineError(
            Code.TOOLCHAIN,
            f"{name} is not installed.",
            where=f"--host {host}",
            expected=f"{program[0]} on the PATH, built with wasi-nn",
            hint="Or give the full command, with {wasm} and {graph}.",
        )
    return path


def _version(program: str, folder: Path) -> str:
    """Return the first version-like word that ``--version`` prints."""
    try:
        finished = run_process([program, "--version"], seconds=_VERSION_SECONDS, cwd=folder)
    except PipelineError:
        return ""
    first = (finished.output.strip().splitlines() or [""])[0]
    numbers = [word for word in first.split() if word[:1].isdigit()]
    return numbers[0][:40] if numbers else ""
