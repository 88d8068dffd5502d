"""WebAssembly's own text format, by the wasmtime package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, Complaint, Refused

_PLACE = re.compile(r"^(?P<text>[^\n]*)\n\s*--> [^\n]*:(?P<line>\d+):(?P<column>\d+)$", re.M)


@dataclass(frozen=True)
class Wat:
    """A program of one source, which becomes wasm as it stands there."""

    packages: tuple[str, ...] = ("wasmtime",)

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the package's version says it all."""
        return {}

    def lack(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return nothing: the package comes with ours."""
        return None

    def compile(self, build: Build) -> None:
        """Translate the one source; nothing is optimised."""
        import wasmtime

        if len(build.sources) != 1 or build.headers:
            raise PipelineError(
                Code.GUEST_BUILD,
                "A guest in WAT is one source and nothing beside it.",
                where=build.sources[0],
                found=f"{len(build.sources)} sources and {len(build.headers)} headers",
            )
        try:
            text = (build.folder / build.sources[0]).read_text("utf-8")
            build.wasm.write_bytes(wasmtime.wat2wasm(text))
        except UnicodeDecodeError:
            raise Refused("the file is not UTF-8", 1) from None
        except wasmtime.WasmtimeError as error:
            raise Refused(str(error), 1) from None

    def complaint(self, output: str) -> Complaint | None:
        """Return the first error, at its place in the one source."""
        if found := _PLACE.search(output):
            return Complaint(found["text"], place=f":{found['line']}:{found['column']}")
        return Complaint(output.splitlines()[0]) if output else None
