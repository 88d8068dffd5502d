"""The ziglang package: self-contained compilers of C, C++ and Zig."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, CompilerDiagnostic

PACKAGE = "ziglang"
# Clang prints a header's path as it found it: `./descriptor.h`.
_DIAGNOSTIC = re.compile(
    r"^(?:\./)?(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?:fatal )?error: (?P<text>.*)$",
    re.M,
)
_LINKER = re.compile(
    r"^(?:wasm-ld: )?error: (?:wasm-ld: )?(?:[^\n]*[/\\](?P<stem>[^/\\\n]+)\.o: )?(?P<text>.*)$",
    re.M,
)


def run_zig(build: Build, command: Sequence[str]) -> None:
    """Run ``zig`` in the build's folder; raises as Build.run does."""
    if (missing := missing_zig()) is not None:
        raise missing
    zig, kept = _zig(), build.kept / "zig"
    kept.mkdir(parents=True, exist_ok=True)
    build.run(
        [str(zig), *command],
        readable=[zig.parent],
        writable=[kept],
        ZIG_GLOBAL_CACHE_DIR=str(kept),
        ZIG_LOCAL_CACHE_DIR=str(build.scratch / "zig"),
    )


def _zig() -> Path:
    """Return the program of the package, which is what its module runs."""
    package = importlib.util.find_spec(PACKAGE)
    places = package.submodule_search_locations if package else None
    return next(Path(place, "zig") for place in places or ())


def missing_zig() -> PipelineError | None:
    """Return the error if the package is not installed, or None."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return None
    return PipelineError(
        Code.TOOLCHAIN,
        "ziglang, required to compile guests, is not installed.",
        hint="Install it: pip install ziglang",
    )


def first_diagnostic(output: str) -> CompilerDiagnostic | None:
    """Return the first error of Clang, Zig or the linker in their output."""
    if found := _DIAGNOSTIC.search(output):
        return CompilerDiagnostic(
            found["text"], found["file"], f":{found['line']}:{found['column']}"
        )
    if found := _LINKER.search(output):
        return CompilerDiagnostic(found["text"], found["stem"] or "")
    return None
