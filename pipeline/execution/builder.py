"""Bringing an action's outputs up to date: nothing, a copy from the cache, or the recipe."""

from __future__ import annotations

import errno
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipeline.cache.action_records import Record
from pipeline.cache.cache import Cache
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.history import BuildRecord, History
from pipeline.cache.objects import copy
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action, Isolation, Job
from pipeline.execution.executor import Executor, Inline
from pipeline.execution.key_parts import key_parts, static_parts
from pipeline.execution.output_folders import make_way
from pipeline.execution.progress import ProgressCallback
from pipeline.execution.reasons import reasons_to_run, reasons_unreadable, targets

if TYPE_CHECKING:
    from pipeline.execution.recipe_code import RecipeCodes

_FULL = "Free some disk space; no partial files were left."
_IN_THE_WAY = "A file or folder is in the way of a target: move it away."
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EACCES: "Permission denied: check owner and mode.",
    errno.EROFS: "The file system is read-only: use another folder.",
}

WORKER_MEMORY = 4 * 2**30
# Hex digits that tell two versions of a file apart.
_SHORT = 12

Files = dict[str, dict[str, Path]]


class BuildOutcome(Enum):
    """How an action was brought up to date."""

    CURRENT = "up to date"
    RESTORED = "restored"
    BUILT = "built"


@dataclass(frozen=True)
class Inspection:
    """An action as it stands: its key with the parts of that, and whether its outputs fit it.

    ``record`` is what the key gave before, if it is known on this machine.
    """

    parts: Mapping[str, Any]
    key: str
    record: Record | None
    current: bool


@dataclass(frozen=True)
class BuildResult:
    """How an action was brought up to date, and why that was needed: no reason if it was not."""

    outcome: BuildOutcome
    key: str
    record: Record
    reasons: tuple[str, ...]


class Builder:
    """Builds actions over one cache; ``workers`` runs those that need a process of their own.

    ``codes`` has the code of their recipes. ``top`` is the folder of all outputs: nothing is
    written behind a link in it (default: the folder of each output).
    """

    def __init__(
        self,
        cache: Cache,
        workers: Executor,
        history: History | None = None,
        codes: RecipeCodes | None = None,
        top: Path | None = None,
    ) -> None:
        self.cache = cache
        self._top = top
        self._executors: Mapping[Isolation, Executor] = {
            Isolation.THREAD: Inline(),
            Isolation.WORKER: workers,
        }
        self._history = history
        self._codes = codes or _codes()

    def parts(
        self, action: Action, planned: Mapping[Path, Digest] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return what the key is a hash of: recipe, its code, tools, parameters, input digests.

        ``planned`` are the digests that inputs would have; all others are looked at. Raises
        PipelineError when an input is not there.
        """
        inputs = {
            label: planned[path].sha256 if path in planned else self._input_digest(action, label)
            for label, path in action.inputs.items()
        }
        return key_parts(static_parts(action, self._codes), inputs)

    def code(self, action: Action) -> dict[str, str]:
        """Return a short digest of each file of the recipe's code, by its path."""
        files = self._codes.of(action.recipe).files
        return {path: sha256[:_SHORT] for path, sha256 in files.items()}

    def key(self, action: Action) -> str:
        """Return the SHA-256 of the action's parts; raises PipelineError as they do."""
        return key_of(self.parts(action))

    def inspect(self, action: Action) -> Inspection:
        """Compute the key and compare the outputs with its record; raises as ``parts`` does."""
        parts = self.parts(action)
        key = key_of(parts)
        record = self.cache.records.get(key)
        current = record is not None and self.outputs_match(action, record)
        return Inspection(parts, key, record, current)

    def is_current(self, action: Action) -> bool:
        """Tell whether every output is what the action's present key gave."""
        return all(path.exists() for path in action.inputs.values()) and (
            self.inspect(action).current
        )

    def build(
        self,
        action: Action,
        progress: ProgressCallback,
        *,
        force: bool = False,
        inspection: Inspection | None = None,
        started: Callable[[tuple[str, ...]], None] | None = None,
    ) -> BuildResult:
        """Bring the outputs up to date, or leave them as they were and raise PipelineError.

        Another run may have built the same while this one waited. ``force`` runs the recipe
        whatever is there. An ``inspection`` of the action saves another one. ``started`` is called
        with the reasons before anything is changed.
        """
        with _storage_errors(action):
            try:
                found = inspection or self.inspect(action)
            except PipelineError as error:
                if started is not None:
                    started(reasons_unreadable(self._history, action, error))
                raise
            reasons = self._reasons(action, found)
            if started is not None:
                started(reasons)
            with self.cache.lock(found.key, progress):
                record, outcome = self._bring(action, found.key, progress, force=force)
                if self._history is not None:
                    build = BuildRecord(
                        key=found.key,
                        parts=dict(found.parts),
                        code=self.code(action),
                        outcome=outcome.value,
                        seconds=record.seconds,
                        when=time.time(),
                    )
                    self._history.record_build(action.name, build)
        return BuildResult(outcome, found.key, record, reasons)

    def _bring(
        self, action: Action, key: str, progress: ProgressCallback, *, force: bool
    ) -> tuple[Record, BuildOutcome]:
        record = None if force else self.cache.lookup(key)
        if record is not None and self.outputs_match(action, record):
            return record, BuildOutcome.CURRENT
        if record is not None and self._restore(action, record):
            return record, BuildOutcome.RESTORED
        return self._run(action, key, progress), BuildOutcome.BUILT

    def _reasons(self, action: Action, found: Inspection) -> tuple[str, ...]:
        if found.current or self._history is None:
            return ()
        code, digest = partial(self.code, action), self.cache.digests.digest
        return reasons_to_run(self._history, action, found.parts, found.record, code, digest)

    def forget(self, action: Action) -> None:
        """Drop the record of the action's present key, so that it is run again."""
        with suppress(PipelineError):
            self.cache.records.drop(self.key(action))

    def close(self) -> None:
        """Close the cache, which removes what interrupted steps have left."""
        self.cache.close()

    def _input_digest(self, action: Action, label: str) -> str:
        path = action.inputs[label]
        try:
            return self.cache.digests.digest(path).sha256
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                f"An input of {action.name} cannot be read.",
                where=str(path),
                found=error.strerror or str(error),
                hint="Create the file, or correct the path in the config.",
            ) from None

    def outputs_match(self, action: Action, record: Record) -> bool:
        """Tell whether the targets are what the record says, and nothing beside."""
        recorded = targets(action, record)
        if recorded is None:
            return False
        try:
            return self._has_no_other_files(action, record) and all(
                self.cache.digests.digest(path) == digest for path, digest in recorded
            )
        except OSError:
            return False

    def restorable(self, action: Action, record: Record) -> bool:
        """Tell whether the outputs would be copied from the cache, as far as can be seen."""
        recorded = targets(action, record)
        if recorded is None or not action.restorable:
            return False
        return self.cache.remote is not None or all(
            self.cache.objects.path(digest).exists() for _, digest in recorded
        )

    def _has_no_other_files(self, action: Action, record: Record) -> bool:
        """Tell whether the folders hold nothing beside what is recorded."""
        for label, path in action.outputs.items():
            if label.endswith("/"):
                for folder in (path, *(entry for entry in path.rglob("*") if entry.is_dir())):
                    self.cache.digests.watch(folder)
                if not _members(path).keys() <= record.outputs[label].keys():
                    return False
        return True

    def _restore(self, action: Action, record: Record) -> bool:
        recorded = targets(action, record)
        if recorded is None or not action.restorable:
            return False
        with self.cache.temporary.folder() as folder:
            parts = [
                (folder / str(number), path, digest)
                for number, (path, digest) in enumerate(recorded)
            ]
            if not all(self.cache.fetch(digest, part) for part, _, digest in parts):
                return False
            self._invalidate(action)
            make_way(action, self._top)
            for part, path, _ in parts:
                self.cache.temporary.place(part, path)
        return True

    def _run(self, action: Action, key: str, progress: ProgressCallback) -> Record:
        started = time.monotonic()
        # The manifest no longer describes the outputs, even if the recipe fails.
        self._invalidate(action)
        with self.cache.temporary.folder() as folder:
            (folder / "scratch").mkdir()
            outputs = {}
            for label, target in action.outputs.items():
                outputs[label] = folder / "out" / label.strip("/") / target.name
                made = outputs[label] if label.endswith("/") else outputs[label].parent
                made.mkdir(parents=True)
            job = Job(
                inputs=action.inputs,
                outputs=outputs,
                parameters=action.parameters,
                unkeyed=action.unkeyed,
                scratch=folder / "scratch",
                progress=progress,
            )
            self._executors[action.isolation].run(
                action.recipe, job, seconds=action.seconds, memory=WORKER_MEMORY, tools=action.tools
            )
            files = _written(action, outputs)
            if self.key(action) != key:
                raise PipelineError(
                    Code.STORAGE,
                    f"An input of {action.name} changed while the step read it.",
                    hint="Run doit again; the outputs were discarded.",
                )
            if not self._codes.unchanged(action.recipe):
                raise PipelineError(
                    Code.STORAGE,
                    f"The code of {action.name} changed while doit was running.",
                    hint="Run doit again; the outputs were discarded.",
                )
            digests = {
                label: {name: Digest.of_file(path) for name, path in members.items()}
                for label, members in files.items()
            }
            self._publish(action, files, digests)
        seconds = time.monotonic() - started
        record = Record(action=action.name, outputs=digests, seconds=seconds)
        self.cache.put(key, record, share=action.restorable)
        return record

    def _publish(
        self, action: Action, files: Files, digests: Mapping[str, Mapping[str, Digest]]
    ) -> None:
        make_way(action, self._top)
        for label, members in files.items():
            target = action.outputs[label]
            for name, path in members.items():
                if action.restorable:
                    self.cache.objects.put(path, digests[label][name])
                self._place(path, target / name if name else target)

    def _place(self, path: Path, target: Path) -> None:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            self.cache.temporary.place(path, target)
            return
        # A link, or a file that has another name elsewhere, would go on being that.
        with self.cache.temporary.atomic_write(target) as part:
            copy(path, part)

    def _invalidate(self, action: Action) -> None:
        for stamp in action.invalidates:
            stamp.unlink(missing_ok=True)


def _codes() -> RecipeCodes:
    # A run with nothing to do asks for no code.
    from pipeline.execution.recipe_code import RecipeCodes

    return RecipeCodes()


def _members(folder: Path) -> dict[str, Path]:
    found = (entry for entry in sorted(folder.rglob("*")) if entry.is_file())
    return {entry.relative_to(folder).as_posix(): entry for entry in found}


def _written(action: Action, outputs: Mapping[str, Path]) -> Files:
    files: Files = {}
    for label, path in outputs.items():
        if label.endswith("/"):
            files[label] = _members(path)
        elif path.is_file() and not path.is_symlink():
            files[label] = {"": path}
        else:
            raise PipelineError(
                Code.WORKER,
                f"{action.name} ended without writing its output {label}.",
                expected=action.outputs[label].name,
            )
    return files


@contextmanager
def _storage_errors(action: Action) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = _HINTS.get(error.errno or 0) is _FULL
        raise PipelineError(
            Code.STORAGE,
            f"{action.name} could not write its files."
            if full
            else f"{action.name} could not read or write a file.",
            # Of a rename, the second is the target that the user knows.
            where=str(error.filename2 or error.filename or ""),
            found=error.strerror or str(error),
            hint=_HINTS.get(error.errno or 0, ""),
        ) from None
