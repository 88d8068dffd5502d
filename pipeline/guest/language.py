"""What a language must offer so that guests can be written in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import PipelineError
from pipeline.work.process import Finished


@dataclass(frozen=True, kw_only=True)
class Build:
    """One guest that is being compiled.

    ``folder`` holds nothing but copies of its files, side by side and under their own names, so
    that no path of the project gets into the wasm; ``sources`` and ``headers`` are those names.
    ``wasm`` is the file to write. ``compiler`` are the files that Language.compiler named;
    ``fetch`` writes one that the guest's config names to a path, checked by its digest, and raises
    as a source's step does. ``scratch`` goes with the step, ``kept`` is a folder that stays, for
    what a compiler builds once.
    """

    folder: Path
    sources: Sequence[str]
    headers: Sequence[str]
    wasm: Path
    compiler: Mapping[str, Path]
    scratch: Path
    kept: Path
    fetch: Callable[[str, Path], None]
    execute: Callable[[Sequence[str], Mapping[str, str]], Finished]

    @property
    def output(self) -> str:
        """The file to write as a compiler is told of it: linkers stumble over some full paths."""
        return os.path.relpath(self.wasm, self.folder)

    def run(self, command: Sequence[str], **env: str) -> None:
        """Run a compiler in ``folder``, with these variables and few others, to its good end.

        Raises Refused with what it printed if its end is not good, and PipelineError
        (TIME_LIMIT, TOOLCHAIN).
        """
        finished = self.execute(command, {**_environment(), **env})
        if finished.returncode != 0:
            raise Refused(finished.output, finished.returncode)


class Refused(Exception):
    """A compiler refused the sources: what it printed, and its exit status."""

    def __init__(self, output: str, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.output = output
        self.status = status


@dataclass(frozen=True)
class Complaint:
    """The first error of a compiler: the file as it named it, ``:line:column``, and its words."""

    text: str
    file: str = ""
    place: str = ""
    hint: str = ""


class Language(Protocol):
    """A language of guests: one module, and an entry in ``languages.LANGUAGES``."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The installed Python packages whose versions shape the wasm."""
        ...

    def compiler(self) -> Mapping[str, Path]:
        """Return the files of this machine that tell one build of the compiler from another.

        Their content is part of the step's key. Empty where packages say it all, and where the
        compiler is not installed.
        """
        ...

    def lack(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return the error (TOOLCHAIN) for what is not installed, or None; runs nothing.

        ``compiler`` is what ``compiler()`` gave.
        """
        ...

    def compile(self, build: Build) -> None:
        """Write ``build.wasm``: the same bytes in every folder.

        Raises Refused for sources that do not compile, PipelineError (TOOLCHAIN) with the command
        that installs a compiler which is missing, and what ``build.run`` raises.
        """
        ...

    def complaint(self, output: str) -> Complaint | None:
        """Return the first error in what the compiler printed, None if there is none to see."""
        ...


def _environment() -> dict[str, str]:
    """Return what compilers need of our environment; CFLAGS and the like stay out of the bytes."""
    kept = ("PATH", "HOME", "SYSTEMROOT", "LOCALAPPDATA", "TMPDIR", "TEMP", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}
