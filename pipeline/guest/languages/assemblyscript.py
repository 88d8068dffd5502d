"""AssemblyScript, compiled by asc: four files from npm packages, run by Node.js."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, CompilerDiagnostic

_PROGRAM = Path(__file__).with_name("asc_program.mjs")
# For each package: its exports and their files.
_PACKAGES = {
    "assemblyscript": {".": "assemblyscript", "./asc": "asc"},
    "binaryen": {".": "binaryen"},
    "long": {".": "long"},
}
# With an empty `abort`, a failed assertion is a trap instead of a call to an import of `env`.
_FLAGS = ("-O3", "--use", "abort=", "--exportStart", "_start", "--noColors", "--pedantic")
_INSTALL = "Install it, for example on Debian: apt-get install nodejs npm"
_ERROR = re.compile(r"^(?:ERROR|PEDANTIC)(?: \w+)?: (?P<text>.*)$", re.M)
_PLACE = re.compile(r"^ *└─ in (?P<file>.+)\((?P<line>\d+),(?P<column>\d+)\)$", re.M)


@dataclass(frozen=True)
class AssemblyScript:
    """A program whose first source is the entry; it imports the others by name.

    The compiler's files ``asc``, ``assemblyscript``, ``binaryen`` and ``long`` are declared in the
    guest's config and are part of the step's key; Node.js does not affect the output.
    """

    packages: tuple[str, ...] = ()

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the config declares the compiler."""
        return {}

    def missing_compiler(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error if Node.js is not installed."""
        if shutil.which("node") is None:
            return _missing("Node.js, required by the AssemblyScript compiler, is not installed.")
        return None

    def compile(self, build: Build) -> None:
        """Compile the first source with its imports."""
        if (missing := self.missing_compiler({})) is not None:
            raise missing
        program = _installed(build)
        build.run(["node", str(program), f"./{build.sources[0]}", *_FLAGS, "-o", build.output])

    def diagnostic(self, output: str) -> CompilerDiagnostic | None:
        """Return the compiler's first error."""
        found = _ERROR.search(output)
        if found is None:
            return None
        place = _PLACE.search(output, found.end())
        if place is None:
            return CompilerDiagnostic(found["text"])
        return CompilerDiagnostic(
            found["text"], place["file"], f":{place['line']}:{place['column']}"
        )


def _installed(build: Build) -> Path:
    """Install the compiler in a node_modules folder; return the program beside it."""
    folder = build.scratch / "asc"
    for package, exports in _PACKAGES.items():
        place = folder / "node_modules" / package
        for name in exports.values():
            _fetch(build, name, place / f"{name}.js")
        described = {module: f"./{name}.js" for module, name in exports.items()}
        text = json.dumps({"type": "module", "exports": described})
        (place / "package.json").write_text(text)
    return Path(shutil.copy(_PROGRAM, folder))


def _fetch(build: Build, name: str, path: Path) -> None:
    try:
        build.fetch(name, path)
    except PipelineError as error:
        if error.code is not Code.SOURCE_UNREACHABLE or shutil.which("npm"):
            raise
        raise _missing("npm, required to fetch AssemblyScript, is not installed.") from None


def _missing(message: str) -> PipelineError:
    return PipelineError(Code.TOOLCHAIN, message, expected="node and npm", hint=_INSTALL)
