"""AssemblyScript, by its own compiler: four files of npm packages, run by Node.js."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.guest.language import Build, Complaint

_PROGRAM = Path(__file__).with_name("asc_program.mjs")
# Of each package, what other modules call its files, and where those lie.
_PACKAGES = {
    "assemblyscript": {".": "assemblyscript", "./asc": "asc"},
    "binaryen": {".": "binaryen"},
    "long": {".": "long"},
}
# Without its function abort, a failed assertion is a trap, not a call of a module `env`.
_FLAGS = ("-O3", "--use", "abort=", "--exportStart", "_start", "--noColors", "--pedantic")
_INSTALL = "Install it, for example on Debian: apt-get install nodejs npm"
_ERROR = re.compile(r"^(?:ERROR|PEDANTIC)(?: \w+)?: (?P<text>.*)$", re.M)
_PLACE = re.compile(r"^ *└─ in (?P<file>.+)\((?P<line>\d+),(?P<column>\d+)\)$", re.M)


@dataclass(frozen=True)
class AssemblyScript:
    """A program whose first source is its entry; that imports the others by their names.

    The files of the compiler are ``asc``, ``assemblyscript``, ``binaryen`` and ``long``, by the
    guest's config. They are part of the step's key; Node.js does not shape what they do.
    """

    packages: tuple[str, ...] = ()

    def compiler(self) -> Mapping[str, Path]:
        """Return nothing: the config says it all."""
        return {}

    def lack(self, compiler: Mapping[str, Path]) -> PipelineError | None:
        """Return an error where there is no Node.js."""
        if shutil.which("node") is None:
            return _missing("Node.js, which runs the compiler of AssemblyScript, is not here.")
        return None

    def compile(self, build: Build) -> None:
        """Compile the first source and what it imports."""
        if (lack := self.lack({})) is not None:
            raise lack
        program = _installed(build)
        build.run(["node", str(program), f"./{build.sources[0]}", *_FLAGS, "-o", build.output])

    def complaint(self, output: str) -> Complaint | None:
        """Return the first error of the compiler."""
        found = _ERROR.search(output)
        if found is None:
            return None
        place = _PLACE.search(output, found.end())
        if place is None:
            return Complaint(found["text"])
        return Complaint(found["text"], place["file"], f":{place['line']}:{place['column']}")


def _installed(build: Build) -> Path:
    """Lay the compiler out as Node.js looks for packages; return the program beside them."""
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
        raise _missing("npm, which fetches the compiler of AssemblyScript, is not here.") from None


def _missing(message: str) -> PipelineError:
    return PipelineError(Code.TOOLCHAIN, message, expected="node and npm", hint=_INSTALL)
