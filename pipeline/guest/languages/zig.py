"""Zig, by the ziglang package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.guest.language import Build, Complaint
from pipeline.guest.ziglang import PACKAGE, first_complaint, missing_zig, run_zig

# Safe: a slip of the guest's own is a trap, not a read of what is not its own.
_FLAGS = ("-target", "wasm32-wasi", "-O", "ReleaseSafe", "-fstrip", "-lc")


@dataclass(frozen=True)
class Zig:
    """A program whose first source is its root; that imports the others by their names."""

    packages: tuple[str, ...] = (PACKAGE,)

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the package's version says it all."""
        return {}

    def lack(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error where the package is not installed."""
        return missing_zig()

    def compile(self, build: Build) -> None:
        """Compile the first source and what it imports."""
        # The name is part of the wasm, and would be that of the source.
        named = ["--name", "guest", f"-femit-bin={build.output}"]
        run_zig(build, ["build-exe", *_FLAGS, *named, f"./{build.sources[0]}"])

    def complaint(self, output: str) -> Complaint | None:
        """Return the first error of the compiler or the linker."""
        return first_complaint(output)
