"""The folder of downloads: whole files under their digest, half ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.source.download import discard, download
from pipeline.source.transport import PATIENCE, Patience
from pipeline.source.urls import shown
from pipeline.source.wanted import Wanted
from pipeline.store.atomic import replace
from pipeline.store.digest import key_of
from pipeline.work.amount import Say


@dataclass(frozen=True)
class Downloads:
    """The folder, shared by all sources and runs, and how it may be filled.

    Everything in it can be had again, so it may be deleted at any time.
    """

    folder: Path
    offline: bool
    say: Say
    patience: Patience = PATIENCE

    def kept(self, wanted: Wanted) -> Path | None:
        """Return the file if it is here and still what is wanted; raises OSError."""
        path = self.folder / wanted.name
        try:
            wanted.check(path, path.name)
        except (FileNotFoundError, PipelineError):
            return None
        return path

    def obtain(self, url: str, wanted: Wanted, what: str) -> Path:
        """Return the file, fetched from ``url`` if it is not here; ``what`` names it for people.

        One of several that want it fetches it, the others wait. Raises PipelineError
        (SOURCE_UNREACHABLE, SOURCE_MISMATCH) and OSError.
        """
        if path := self.kept(wanted):
            return path
        if self.offline:
            raise self.missing(what)
        with self.alone(wanted.name, what):
            if path := self.kept(wanted):
                return path
            path = self.folder / wanted.name
            # Each mirror goes on from its own part: the tag of one says nothing to another.
            part = path.with_name(f"{path.name}.{key_of({'url': url})[:16]}.part")
            resumed = part.exists()
            try:
                self._fill(part, url, wanted)
            except PipelineError as error:
                if not resumed or error.code is not Code.SOURCE_MISMATCH:
                    raise
                self.say("what was left of an earlier download does not fit; starting anew")
                self._fill(part, url, wanted)
            replace(part, path)
            for other in self.folder.glob(f"{path.name}.*.part*"):
                other.unlink(missing_ok=True)
            return path

    @contextmanager
    def alone(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock ``name`` among all threads and processes, saying ``what`` is waited for.

        The lock goes with the process that holds it, however that ends.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.say(f"waiting for another step that fetches {what}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def missing(self, what: str) -> PipelineError:
        """Return the error for a file that is neither here nor may be fetched."""
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The project is offline, and the file was not downloaded before.",
            where=what,
            hint="Set offline = false in configs/project.toml, or run once with a network.",
        )

    def _fill(self, part: Path, url: str, wanted: Wanted) -> None:
        download(url, part, wanted, say=self.say, patience=self.patience)
        try:
            wanted.check(part, shown(url))
        except PipelineError:
            discard(part)
            raise
