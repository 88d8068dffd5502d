"""C and C++, compiled by the Clang of the ziglang package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.guest.language import Build, CompilerDiagnostic
from pipeline.guest.languages.ziglang import PACKAGE, first_diagnostic, missing_zig, run_zig

_FLAGS = ("--target=wasm32-wasi", "-O2", "-s", "-Wall", "-Wextra", "-Wpedantic")
_UNLISTED = "List every included file in headers, and include it by its file name only."


@dataclass(frozen=True)
class Clang:
    """One of Clang's languages: zig's name of the driver, and language-specific flags."""

    driver: str
    flags: tuple[str, ...]
    packages: tuple[str, ...] = (PACKAGE,)

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the package's version identifies the compiler."""
        return {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error if the package is not installed."""
        return missing_zig()

    def compile(self, build: Build) -> None:
        """Compile and link every source."""
        # The prefix ./ keeps a name from being parsed as an option.
        sources = [f"./{name}" for name in build.sources]
        run_zig(build, [self.driver, *_FLAGS, *self.flags, *sources, "-o", build.output])

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return the first error of the compiler or the linker."""
        found = first_diagnostic(output)
        unlisted = found is not None and found.text.endswith("file not found")
        return replace(found, hint=_UNLISTED) if found and unlisted else found
