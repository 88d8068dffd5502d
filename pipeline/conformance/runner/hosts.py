"""The hosts to test: this project's, known runtimes, and any command."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.verify.peers import WITHOUT_CACHE, wasmtime_command, wasmtime_environment

THIS = "this host"
KNOWN = ("wasmtime", "wasmedge", "iwasm")

_VERSION_SECONDS = 30.0


@dataclass(frozen=True)
class ConformanceHost:
    """A host: its name, its version, and the command that runs a guest.

    In the command, ``{wasm}`` is replaced by the guest's file, and ``{dir}`` by the folder with a
    subfolder for each named graph.
    """

    name: str
    version: str
    command: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, wasm: Path, models: Path) -> list[str]:
        """Return the command for one guest.

        >>> host = ConformanceHost("x", "", ("x", "--dir={dir}", "{wasm}"), {})
        >>> host.run(Path("a.wasm"), Path("models"))
        ['x', '--dir=models', 'a.wasm']
        """
        return [
            part.replace("{wasm}", str(wasm)).replace("{dir}", str(models)) for part in self.command
        ]


def this_host() -> ConformanceHost:
    """Return the embedded host, run by its command line."""
    from importlib.metadata import version

    command = [sys.executable, "-P", "-m", "pipeline.cli.main", "run"]
    return ConformanceHost(
        THIS,
        version("wasi-nn-pipeline"),
        (*command, "--graph", "add={dir}/add", "{wasm}"),
        dict(os.environ),
    )


def named_host(text: str, tools: Path) -> ConformanceHost:
    """Return a known host, or the host of a command that contains ``{wasm}``.

    ``tools`` is an existing folder where programs may be installed. Raises PipelineError (USAGE,
    TOOLCHAIN).
    """
    if text == "wasmtime":
        program = str(wasmtime_command(tools))
        graph = "nn-graph=openvino::{dir}/add"
        return ConformanceHost(
            "Wasmtime",
            _version(program, tools),
            (program, "run", *WITHOUT_CACHE, "-S", "nn", "-S", graph, "{wasm}"),
            wasmtime_environment(tools),
        )
    if text == "wasmedge":
        model = "{dir}/add/model"
        preload = f"--nn-preload=add:OpenVINO:CPU:{model}.xml:{model}.bin"
        return _found("WasmEdge", text, [preload, "{wasm}"], tools)
    if text == "iwasm":
        return _found("WAMR", text, ["--dir={dir}", "{wasm}"], tools)
    return _commanded(text)


def _commanded(text: str) -> ConformanceHost:
    try:
        parts = shlex.split(text, posix=os.name != "nt")
    except ValueError as error:
        raise _no_command(text, str(error)) from None
    if not any("{wasm}" in part for part in parts):
        raise _no_command(text, "no {wasm}")
    name = Path(parts[0]).name
    return ConformanceHost(name, "", tuple(parts), dict(os.environ))


def _found(name: str, program: str, arguments: Sequence[str], folder: Path) -> ConformanceHost:
    path = shutil.which(program)
    if path is None:
        raise PipelineError(
            Code.TOOLCHAIN,
            f"{name} is not installed.",
            where=f"--host {program}",
            expected=f"{program} on the PATH, built with wasi-nn",
            hint="Or give the full command, with {wasm} and {dir}.",
        )
    return ConformanceHost(name, _version(path, folder), (path, *arguments), dict(os.environ))


def _version(program: str, folder: Path) -> str:
    """Return the first version-like word that ``--version`` prints."""
    try:
        finished = run_process([program, "--version"], seconds=_VERSION_SECONDS, cwd=folder)
    except PipelineError:
        return ""
    first = (finished.output.strip().splitlines() or [""])[0]
    numbers = [word for word in first.split() if word[:1].isdigit()]
    return numbers[0][:40] if numbers else ""


def _no_command(text: str, found: str) -> PipelineError:
    return PipelineError(
        Code.USAGE,
        "Invalid --host.",
        where=f"--host {text}",
        expected=f"{', '.join(KNOWN)}, or a command with {{wasm}}",
        found=found,
    )
