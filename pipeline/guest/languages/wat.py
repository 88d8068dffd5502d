"""The WebAssembly text format, assembled by the wasmtime package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, CompileError, CompilerDiagnostic

_PLACE = re.compile(r"^(?P<text>[^\n]*)\n\s*--> [^\n]*:(?P<line>\d+):(?P<column>\d+)$", re.M)


@dataclass(frozen=True)
class Wat:
    """A program of one source, assembled without optimization."""

    packages: tuple[str, ...] = ("wasmtime",)

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the package's version identifies the compiler."""
        return {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return nothing: wasmtime is a dependency."""
        return None

    def compile(self, build: Build) -> None:
        """Assemble the source."""
        import wasmtime

        if len(build.sources) != 1 or build.headers:
            raise PipelineError(
                Code.GUEST_BUILD,
                "A guest in WAT must have exactly one source and no headers.",
                where=build.sources[0],
                found=f"{len(build.sources)} sources and {len(build.headers)} headers",
            )
        try:
            text = (build.folder / build.sources[0]).read_text("utf-8")
            build.wasm.write_bytes(wasmtime.wat2wasm(text))
        except UnicodeDecodeError:
            raise CompileError("the file is not UTF-8", 1) from None
        except wasmtime.WasmtimeError as error:
            raise CompileError(str(error), 1) from None

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return the first error, with its line and column."""
        if found := _PLACE.search(output):
            return CompilerDiagnostic(found["text"], place=f":{found['line']}:{found['column']}")
        return CompilerDiagnostic(output.splitlines()[0]) if output else None
