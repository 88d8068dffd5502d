"""The protocol that a guest language implements."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import PipelineError
from pipeline.execution.containment import Containment
from pipeline.execution.process import Finished


@dataclass(frozen=True, kw_only=True)
class Build:
    """One compilation of a guest.

    ``folder`` holds only copies of the guest's files, so that no path of the project gets into the
    wasm; ``sources`` and ``headers`` are their names. ``wasm`` is the file to write. ``compiler``
    has the files returned by Language.compiler; ``fetch`` downloads one that the guest's config
    declares to a path, and raises as the step ``source`` does. ``scratch`` is removed after the
    step; ``kept`` is a persistent cache folder for compilers.
    """

    folder: Path
    sources: Sequence[str]
    headers: Sequence[str]
    wasm: Path
    compiler: Mapping[str, Path]
    scratch: Path
    kept: Path
    fetch: Callable[[str, Path], None]
    execute: Callable[[Sequence[str], Containment, Mapping[str, str]], Finished]

    @property
    def output(self) -> str:
        """The path of ``wasm`` relative to ``folder``: some linkers fail on absolute paths."""
        return os.path.relpath(self.wasm, self.folder)

    def run(
        self,
        command: Sequence[str],
        *,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        **env: str,
    ) -> None:
        """Run a compiler in ``folder``, contained, with these variables.

        Besides the system's programs it may read ``readable``, and besides ``scratch`` change
        ``writable``. CFLAGS and the like do not affect the bytes. Raises CompileError for a nonzero
        exit status, and PipelineError (TIME_LIMIT, TOOLCHAIN; STORAGE beyond the disk limit).
        """
        allowed = Containment(folder=self.scratch, readable=readable, writable=writable)
        finished = self.execute(command, allowed, env)
        if finished.returncode != 0:
            raise CompileError(finished.output, finished.returncode)


class CompileError(Exception):
    """A compiler failed: its output and exit status."""

    def __init__(self, output: str, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.output = output
        self.status = status


@dataclass(frozen=True)
class CompilerDiagnostic:
    """A compiler's first error: its message, the file as printed, and ``:line:column``."""

    text: str
    file: str = ""
    place: str = ""
    hint: str = ""


class Language(Protocol):
    """A guest language: one module, and an entry in ``languages.LANGUAGES``."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The installed Python packages whose versions affect the wasm."""
        ...

    def compiler(self) -> Mapping[str, Path]:
        """Return local files that identify the build of the compiler.

        Their content is part of the step's key. Empty if ``packages`` suffice, or if the compiler
        is not installed.
        """
        ...

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return the error (TOOLCHAIN) for a missing tool, or None, without running programs.

        ``compiler`` is the result of ``compiler()``.
        """
        ...

    def compile(self, build: Build) -> None:
        """Write ``build.wasm``, with the same bytes in every folder.

        Raises CompileError for sources that do not compile, PipelineError (TOOLCHAIN) for a missing
        compiler, and the errors of ``build.run``.
        """
        ...

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return the first error in the compiler's output, or None."""
        ...
