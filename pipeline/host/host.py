"""The host as a library: a guest in, its exit code, outputs and messages out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.host.backends.openvino import OpenVino
from pipeline.host.binding import Say, bind
from pipeline.host.functions import Functions
from pipeline.host.graphs import NamedGraph, NamedGraphs
from pipeline.host.sandbox import Limits, Preopen, Streams, run_command

__all__ = ["Host", "Outcome", "Preopen"]


@dataclass(frozen=True)
class Outcome:
    """How a guest ended: its exit code, wall seconds, bytes of memory, and refused calls."""

    exit_code: int
    seconds: float
    memory: int
    messages: tuple[str, ...]


class Host:
    """A wasi-nn host over OpenVINO. Compiled named graphs live as long as it does.

    ``with Host() as host: host.run(wasm, args=("cat",), dirs=(Preopen(folder, "fixture"),))``
    """

    def __init__(self, graphs: Sequence[NamedGraph] = (), *, tensor_type_abi: int = 2023) -> None:
        self._backend = OpenVino()
        self._named = NamedGraphs(graphs, self._backend)
        self._abi = tensor_type_abi

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing outlives the object itself."""

    def run(
        self,
        wasm: Path,
        *,
        args: Sequence[str] = (),
        dirs: Sequence[Preopen] = (),
        seconds: float = 60.0,
        memory: int = 2**30,
        fuel: int | None = None,
        stdout: Path | None = None,
        stderr: Path | None = None,
        say: Say | None = None,
        trace: Say | None = None,
    ) -> Outcome:
        """Run a guest's ``_start`` in a sandbox: no environment, no network, only ``dirs``.

        ``seconds`` is wall time, ``memory`` the linear memory in bytes. Without a path, stdout
        and stderr are this process's own. ``say`` hears why a call was refused, ``trace`` hears
        each call. A guest in a loop is ended at its time limit; an inference that hangs is not,
        and has to be ended with this process from outside.

        Raises PipelineError: GUEST_FAILED for a trap, TIME_LIMIT, MEMORY_LIMIT, GUEST_IMPORTS,
        HOST for a file that is no guest.
        """
        messages: list[str] = []

        def heard(message: str) -> None:
            messages.append(message)
            if say is not None:
                say(message)

        functions = Functions(self._backend, self._named, self._abi)
        ended = run_command(
            wasm,
            args,
            dirs,
            Limits(seconds=seconds, memory=memory, fuel=fuel),
            Streams(stdout=stdout, stderr=stderr),
            lambda linker: bind(linker, functions, heard, trace=trace),
        )
        return Outcome(ended.exit_code, ended.seconds, ended.memory, tuple(messages))
