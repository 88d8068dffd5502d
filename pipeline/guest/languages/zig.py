"""Zig, compiled by the ziglang package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.guest.language import Build, CompilerDiagnostic
from pipeline.guest.languages.ziglang import PACKAGE, first_diagnostic, missing_zig, run_zig

# ReleaseSafe: out-of-bounds accesses trap.
_FLAGS = ("-target", "wasm32-wasi", "-O", "ReleaseSafe", "-fstrip", "-lc")


@dataclass(frozen=True)
class Zig:
    """A program whose first source is the root; it imports the others by name."""

    packages: tuple[str, ...] = (PACKAGE,)

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the package's version identifies the compiler."""
        return {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error if the package is not installed."""
        return missing_zig()

    def compile(self, build: Build) -> None:
        """Compile the first source with its imports."""
        # A fixed name: by default the source's name becomes part of the wasm.
        named = ["--name", "guest", f"-femit-bin={build.output}"]
        run_zig(build, ["build-exe", *_FLAGS, *named, f"./{build.sources[0]}"])

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return the first error of the compiler or the linker."""
        return first_diagnostic(output)
