"""The digest of a recipe's code: of its module and of all that this imports inside the pipeline.

docs/adr/0028-the-code-is-part-of-the-key.md says which modules count, and why others do not.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.errors import Code, PipelineError
from pipeline.store.atomic import write_bytes
from pipeline.store.digest import Digest, key_of
from pipeline.store.known import TICK_NS, version_of
from pipeline.work.action import Recipe
from pipeline.work.code import PACKAGE, modules
from pipeline.work.python_source import Import, PythonSource, read_source

# They carry a step out, and have no part in what it makes: they raise errors, run and store.
CARRIERS = ("pipeline.errors", "pipeline.store", "pipeline.work")
# What they compute is kept with what they have read, so a change of these forgets all of it.
_READERS = ("work/recipe_code.py", "work/python_source.py")


class _Known(msgspec.Struct, frozen=True, array_like=True):
    version: str
    source: PythonSource


class _Memory(msgspec.Struct, frozen=True, array_like=True):
    readers: list[str]
    files: dict[str, _Known]


@dataclass(frozen=True)
class RecipeCode:
    """The digest that stands in keys, and that of each file by its path from the package's folder.

    ``pipeline/tensor/frame.py`` is such a path; the files are those that the digest is made of.
    """

    sha256: str
    files: Mapping[str, str]


class RecipeCodes:
    """The code of each recipe, as it was when this was made. Safe in threads.

    What a file says is kept in ``memory``, by its version, so that no version is read twice. Make
    it before a recipe is imported: what was loaded is then what was read, or a later change shows.
    """

    def __init__(self, memory: Path | None = None, package: Path = PACKAGE) -> None:
        self._memory = memory
        self._package = package
        self._guard = threading.Lock()
        self._versions = {path: _version(path) for path in modules(package)}
        self._modules = {self._module(path): path for path in self._versions}
        self._known = self._recalled()
        self._read: dict[str, PythonSource] = {}
        self._found: dict[str, tuple[RecipeCode, tuple[str, ...]]] = {}
        self._changed = False

    def of(self, recipe: Recipe) -> RecipeCode:
        """Return a recipe's code; raises PipelineError where its module has no file."""
        return self._looked_up(recipe)[0]

    def unchanged(self, recipe: Recipe) -> bool:
        """Tell whether each file of a recipe's code is still as it was when this was made."""
        _, paths = self._looked_up(recipe)
        return all(_version(path) == self._versions[path] for path in paths)

    def _looked_up(self, recipe: Recipe) -> tuple[RecipeCode, tuple[str, ...]]:
        with self._guard:
            name = recipe.__module__
            if name not in self._found:
                files = dict(sorted(self._closure(name)))
                digests = {file: self._source(path).sha256 for file, path in files.items()}
                self._found[name] = RecipeCode(key_of(digests), digests), tuple(files.values())
                self._keep()
            return self._found[name]

    def _closure(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the name and the path of each file that a module's code is made of."""
        waiting = [(self._own(name), False)]
        # A package above a module is run when that is imported, but none of its functions is.
        seen: set[tuple[str, bool]] = set()
        while waiting:
            path, implicit = waiting.pop()
            if (path, implicit) in seen or (path, False) in seen:
                continue
            seen.add((path, implicit))
            yield self._shown(path, name), path
            source = self._source(path)
            waiting += [(each, True) for each in self._above(path)]
            waiting += [(each, False) for text in source.texts for each in self._beside(path, text)]
            for each in source.imports:
                if not (implicit and each.late) and not _carries(each.name):
                    waiting += [(found, False) for found in self._imported(each)]

    def _own(self, name: str) -> str:
        if name in self._modules:
            return self._modules[name]
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is None:
            raise PipelineError(
                Code.STORAGE,
                "The code of a recipe is in no file, so no change of it would be noticed.",
                where=name,
                hint="Define the recipe in a module.",
            )
        self._versions.setdefault(path, _version(path))
        return str(path)

    def _imported(self, each: Import) -> Iterator[str]:
        path = self._modules.get(each.name)
        if path is None:
            return
        yield path
        if each.whole and _is_package(path):
            # Any of its modules may be found through it.
            yield from self._below(os.path.dirname(path))  # noqa: PTH120

    def _above(self, path: str) -> Iterator[str]:
        folder = Path(path).parent
        while folder.is_relative_to(self._package):
            init = str(folder / "__init__.py")
            if init in self._versions and init != path and not _carries(self._module(init)):
                yield init
            folder = folder.parent

    def _beside(self, path: str, text: str) -> Iterator[str]:
        beside = str(Path(path).with_name(text))
        if beside in self._versions:
            yield beside
        yield from self._below(beside)

    def _below(self, folder: str) -> Iterator[str]:
        return (path for path in self._versions if path.startswith(folder + os.sep))

    def _source(self, path: str) -> PythonSource:
        """Return what a file says; one that is changing is not kept, and one that is gone is ''."""
        version = self._versions[path]
        known = self._known.get(path)
        if known is not None and known.version == version:
            return known.source
        if path not in self._read:
            try:
                data = Path(path).read_bytes()
            except OSError:
                data = b""
            package = self._module(path)
            if not _is_package(path):
                package = package.rpartition(".")[0]
            if path.endswith(".py"):
                self._read[path] = read_source(data, package)
            else:
                self._read[path] = PythonSource(Digest.of_bytes(data).sha256, [], [])
            if _is_settled(path, version):
                self._known[path] = _Known(version, self._read[path])
                self._changed = True
        return self._read[path]

    def _module(self, path: str) -> str:
        if not path.startswith(f"{self._package}{os.sep}"):
            return ""
        name = Path(path).relative_to(self._package.parent).with_suffix("").as_posix()
        return name.removesuffix("/__init__").replace("/", ".")

    def _shown(self, path: str, recipe: str) -> str:
        if path.startswith(f"{self._package}{os.sep}"):
            return Path(path).relative_to(self._package.parent).as_posix()
        return f"{recipe.replace('.', '/')}.py"

    def _readers(self) -> list[str]:
        return [_version(str(PACKAGE / each)) for each in _READERS]

    def _recalled(self) -> dict[str, _Known]:
        with suppress(OSError, msgspec.MsgspecError, RecursionError):
            if self._memory is not None:
                memory = msgspec.msgpack.decode(self._memory.read_bytes(), type=_Memory)
                if memory.readers == self._readers():
                    return memory.files
        return {}

    def _keep(self) -> None:
        if self._memory is None or not self._changed:
            return
        self._changed = False
        files = {path: each for path, each in self._known.items() if path in self._versions}
        with suppress(OSError):
            write_bytes(self._memory, msgspec.msgpack.encode(_Memory(self._readers(), files)))


def _carries(name: str) -> bool:
    return any(f"{name}.".startswith(f"{carrier}.") for carrier in CARRIERS)


def _is_package(path: str) -> bool:
    return os.path.basename(path) == "__init__.py"  # noqa: PTH119


def _version(path: str) -> str:
    try:
        return version_of(os.stat(path))  # noqa: PTH116
    except OSError:
        return ""


def _is_settled(path: str, version: str) -> bool:
    """Tell whether a file has this version, and has had it for longer than a clock's tick."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    return version_of(status) == version and time.time_ns() - changed > TICK_NS
