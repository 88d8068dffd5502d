"""Rust, compiled by a rustc with a WASI target, from rustup or the system."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from pipeline.errors import Code, PipelineError
from pipeline.execution.machine import entries, home, programs_named
from pipeline.guest.language import Build, CompilerDiagnostic

# The second is the older name of the first.
_TARGETS = ("wasm32-wasip1", "wasm32-wasi")
_FLAGS = ("--edition=2021", "-Copt-level=2", "-Ccodegen-units=1", "-Cstrip=symbols")
_INSTALL = (
    "Install it: rustup target add wasm32-wasip1, "
    "or on Debian: apt-get install rustc libstd-rust-dev-wasm32 lld-14"
)
_ERROR = re.compile(
    r"^error(?:\[\w+\])?: (?P<text>[^\n]*)"
    r"(?:\n\s*--> (?P<file>[^\n]+):(?P<line>\d+):(?P<column>\d+)$)?",
    re.M,
)


@dataclass(frozen=True)
class Rust:
    """A program: the first source is the crate root, other sources are modules, headers crates.

    The header ``wasi_nn.rs`` becomes the crate ``wasi_nn``. Crates may use those before them.
    """

    packages: tuple[str, ...] = ()

    def compiler(self) -> Mapping[str, Path]:
        """Return the target's standard library, which identifies the build of rustc."""
        return {"std": found} if (found := next(_standard_libraries(), None)) else {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error if the standard library or the linker is missing."""
        if "std" not in compiler:
            return _missing("No Rust compiler with a WASI target is installed.", _TARGETS[0])
        linker = entries(_sysroot(compiler["std"]), f"lib/rustlib/*/bin/{_program('rust-lld')}")
        if not linker and not shutil.which("rust-lld"):
            return _missing("The linker of Rust's WASI target is not installed.", "rust-lld")
        return None

    def compile(self, build: Build) -> None:
        """Compile each crate, then the program with all crates."""
        if (missing := self.missing_compiler(build.compiler)) is not None:
            raise missing
        standard_library = build.compiler["std"]
        target = standard_library.parents[1].name
        rustc = _sysroot(standard_library) / "bin" / _program("rustc")
        crates: list[str] = []
        for source in (*build.headers, build.sources[0]):
            # Not every file name is a valid crate name.
            name = re.sub(r"\W", "_", PurePath(source).stem)
            program = source == build.sources[0]
            made = (
                build.output
                if program
                else os.path.relpath(build.scratch / f"lib{name}.rlib", build.folder)
            )
            build.run(
                [
                    *(str(rustc), *_FLAGS, f"--target={target}", f"--crate-name={name}"),
                    f"--crate-type={'bin' if program else 'rlib'}",
                    f"--remap-path-prefix={build.folder}=.",
                    *crates,
                    f"./{source}",
                    f"-o{made}",
                ],
                readable=[_sysroot(standard_library)],
            )
            crates.append(f"--extern={name}={made}")

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return rustc's first error."""
        found = _ERROR.search(output)
        if found is None:
            return None
        place = f":{found['line']}:{found['column']}" if found["file"] else ""
        return CompilerDiagnostic(found["text"], (found["file"] or "").removeprefix("./"), place)


def _sysroot(standard_library: Path) -> Path:
    return standard_library.parents[4]


def _standard_libraries() -> Iterator[Path]:
    """Yield the standard library of each rustc with a WASI target, best first."""
    for target in _TARGETS:
        for sysroot in _sysroots():
            if entries(sysroot / "bin", _program("rustc")):
                found = entries(sysroot / "lib/rustlib" / target / "lib", "libstd-*.rlib")
                yield from (each for each in found if os.access(each, os.R_OK))


def _sysroots() -> Iterator[Path]:
    """Yield candidate sysroots of rustc: rustup's toolchains, then the PATH."""
    rustup = Path(os.environ.get("RUSTUP_HOME") or home() / ".rustup")
    toolchains = entries(rustup / "toolchains", "*")
    # Nightly toolchains come last.
    yield from sorted(toolchains, key=lambda path: not path.name.startswith("stable"))
    for program in programs_named("rustc"):
        yield program.resolve().parent.parent


def _program(name: str) -> str:
    return f"{name}.exe" if os.name == "nt" else name


def _missing(message: str, what: str) -> PipelineError:
    return PipelineError(Code.TOOLCHAIN, message, expected=what, found="none", hint=_INSTALL)
