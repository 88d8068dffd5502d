"""The digest of a recipe's code: of its module and of all that this imports inside the pipeline.

docs/adr/0029-code-digest-in-the-key.md says which modules count, and why others do not.
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

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.file_version import TICK_NS, version_of
from pipeline.cache.json_decoding import decode_msgpack
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Recipe
from pipeline.execution.python_source import Import, PythonSource, read_source
from pipeline.execution.source_modules import PACKAGE, source_modules

# They carry a step out, and have no part in what it makes: they raise errors, run and store.
CARRIERS = ("pipeline.errors", "pipeline.cache", "pipeline.execution")
# What they compute is kept with what they have read, so a change of these forgets all of it.
_READERS = ("execution/recipe_code.py", "execution/python_source.py")


class _Known(msgspec.Struct, frozen=True, array_like=True):
    version: str
    source: PythonSource


class _Memory(msgspec.Struct, frozen=True, array_like=True):
    readers: list[str]
    files: dict[str, _Known]


@dataclass(frozen=True)
class RecipeCode:
    """The digest that stands in keys, and that of each file by its path from the package's folder.

    ``pipeline/tensor/resize.py`` is such a path; the files are those that the digest is made of.
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
        self._above = f"{package.parent}{os.sep}"
        self._versions = {path: _version(path) for path in source_modules(package)}
        self._modules: dict[str, str] = {}
        self._folders: dict[str, list[str]] = {}
        for path in self._versions:
            if not _carries(name := _module(self._shown(path))):
                self._modules[name] = path
            folder = os.path.dirname(path)  # noqa: PTH120
            while len(folder) >= len(self._above):
                self._folders.setdefault(folder, []).append(path)
                folder = os.path.dirname(folder)  # noqa: PTH120
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
            shown = self._shown(path) or f"{name.replace('.', '/')}.py"
            yield shown, path
            source = self._source(path)
            waiting += [(each, True) for each in self._run_before(shown)]
            waiting += [(each, False) for text in source.texts for each in self._beside(path, text)]
            for each in source.imports:
                if not (implicit and each.late):
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
            yield from self._folders[os.path.dirname(path)]  # noqa: PTH120

    def _run_before(self, shown: str) -> Iterator[str]:
        """Yield the packages above a file."""
        name = _module(shown).rpartition(".")[0]
        while name:
            if name in self._modules:
                yield self._modules[name]
            name = name.rpartition(".")[0]

    def _beside(self, path: str, text: str) -> Iterator[str]:
        beside = os.path.join(os.path.dirname(path), text)  # noqa: PTH118, PTH120
        if beside in self._versions:
            yield beside
        yield from self._folders.get(beside, ())

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
            if path.endswith(".py"):
                module = _module(self._shown(path))
                package = module if _is_package(path) else module.rpartition(".")[0]
                source = read_source(data, package)
                inside = [each for each in source.imports if self._is_ours(each.name)]
                self._read[path] = source._replace(imports=inside)
            else:
                self._read[path] = PythonSource(Digest.of_bytes(data).sha256, [], [])
            if _is_settled(path, version):
                self._known[path] = _Known(version, self._read[path])
                self._changed = True
        return self._read[path]

    def _is_ours(self, name: str) -> bool:
        return name.partition(".")[0] == self._package.name

    def _shown(self, path: str) -> str:
        """Return the path as ``pipeline/tensor/resize.py``, or '' outside of the package."""
        if path not in self._versions or not path.startswith(self._above):
            return ""
        return path[len(self._above) :].replace(os.sep, "/")

    def _readers(self) -> list[str]:
        return [_version(str(PACKAGE / each)) for each in _READERS]

    def _recalled(self) -> dict[str, _Known]:
        with suppress(OSError, msgspec.MsgspecError, RecursionError):
            if self._memory is not None:
                memory = decode_msgpack(self._memory.read_bytes(), _Memory)
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


def _module(shown: str) -> str:
    return shown.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


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
