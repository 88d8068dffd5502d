"""The ziglang package: compilers of C, C++ and Zig with nothing else installed."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, Complaint

PACKAGE = "ziglang"
# Clang names a header as it found it: `./descriptor.h`.
_DIAGNOSTIC = re.compile(
    r"^(?:\./)?(?P<file>[^\n:]+):(?P<line>\d+):(?P<column>\d+): (?:fatal )?error: (?P<text>.*)$",
    re.M,
)
_LINKER = re.compile(
    r"^(?:wasm-ld: )?error: (?:wasm-ld: )?(?:[^\n]*[/\\](?P<stem>[^/\\\n]+)\.o: )?(?P<text>.*)$",
    re.M,
)


def run_zig(build: Build, command: Sequence[str]) -> None:
    """Run ``zig`` in the folder of the build; raises as Build.run does."""
    if (missing := missing_zig()) is not None:
        raise missing
    build.run(
        [sys.executable, "-m", PACKAGE, *command],
        ZIG_GLOBAL_CACHE_DIR=str(build.kept / "zig"),
        ZIG_LOCAL_CACHE_DIR=str(build.scratch / "zig"),
    )


def missing_zig() -> PipelineError | None:
    """Return an error where the package is not installed."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return None
    return PipelineError(
        Code.TOOLCHAIN,
        "ziglang, which compiles the guests, is not installed.",
        hint="Install it: pip install ziglang",
    )


def first_complaint(output: str) -> Complaint | None:
    """Return the first error of Clang, Zig or the linker in what they printed."""
    if found := _DIAGNOSTIC.search(output):
        return Complaint(found["text"], found["file"], f":{found['line']}:{found['column']}")
    if found := _LINKER.search(output):
        return Complaint(found["text"], found["stem"] or "")
    return None
