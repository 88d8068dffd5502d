"""A guest that is built elsewhere: its WebAssembly is taken as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, CompilerDiagnostic

# The name by which the guest's config declares it.
FILE = "file"
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Wasm:
    """WebAssembly: a file of the project, or one that is fetched by hash."""

    packages: tuple[str, ...] = ()

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: there is no compiler."""
        return {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return None."""
        return None

    def compile(self, build: Build) -> None:
        """Take the file."""
        if not build.sources:
            build.fetch(FILE, build.wasm)
        given = build.folder / build.sources[0] if build.sources else build.wasm
        if given.stat().st_size > _MOST_BYTES:
            raise PipelineError(
                Code.GUEST_BUILD,
                "The guest is too large.",
                where=given.name,
                expected=f"at most {_MOST_BYTES >> 20} MiB",
                found=f"{given.stat().st_size >> 20} MiB",
            )
        if given != build.wasm:
            shutil.copyfile(given, build.wasm)

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return None: nothing is compiled."""
        return None
