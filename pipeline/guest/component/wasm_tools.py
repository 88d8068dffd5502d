"""The program wasm-tools of its locked environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.process import run_process

# The interfaces of wasi-nn; a guest of the world `ml` imports them.
WIT = Path(__file__).with_name("wasi-nn.wit")
_WORLD = "ml"
_LINES = 20
_WIDTH = 200


@dataclass(frozen=True)
class WasmTools:
    """wasm-tools at ``program``; ``name`` is the guest in errors, ``scratch`` a folder for it."""

    program: Path
    name: str
    scratch: Path
    seconds: float

    def embed(self, core: Path, target: Path) -> None:
        """Write a core module, or its text, with the types of wasi-nn's interfaces.

        Raises PipelineError (GUEST_BUILD, TOOLCHAIN, TIME_LIMIT).
        """
        self._run("component", "embed", WIT, "--world", _WORLD, core, "-o", target)

    def new(self, core: Path, adapters: Mapping[str, Path], target: Path) -> None:
        """Write the component of a core module, with an adapter for each import module.

        Raises PipelineError (GUEST_BUILD, TOOLCHAIN, TIME_LIMIT).
        """
        adapt = [part for name, path in adapters.items() for part in ("--adapt", f"{name}={path}")]
        self._run("component", "new", core, *adapt, "-o", target)

    def print(self, core: Path, target: Path) -> None:
        """Write the text of a core module; raises as the other methods do."""
        self._run("print", core, "-o", target)

    def parse(self, text: Path, target: Path) -> None:
        """Write the core module of a text; raises as the other methods do."""
        self._run("parse", text, "-o", target)

    def _run(self, *arguments: str | Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        finished = run_process(
            [self.program, *arguments], seconds=self.seconds, cwd=self.scratch, env=kept
        )
        if finished.returncode != 0:
            lines = [printable(line[:_WIDTH]) for line in finished.output.splitlines() if line]
            raise PipelineError(
                Code.GUEST_BUILD,
                "wasm-tools cannot make a component of the guest.",
                where=self.name,
                found=lines[-1].strip() if lines else f"exit status {finished.returncode}",
                detail="\n".join(lines[:_LINES]),
            )
