"""The download folder: complete files named by digest, partial ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache.atomic import replace
from pipeline.cache.digest import key_of
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Say
from pipeline.http.client import PATIENCE, Patience
from pipeline.http.urls import shown
from pipeline.source.download import discard, download
from pipeline.source.expected_file import Wanted


@dataclass(frozen=True)
class Downloads:
    """The download folder, shared by all sources and runs, and its settings.

    Everything in it can be downloaded again, so it may be deleted at any time.
    """

    folder: Path
    offline: bool
    say: Say
    patience: Patience = PATIENCE

    def kept(self, wanted: Wanted) -> Path | None:
        """Return the file if it is present and matches ``wanted``; raises OSError."""
        path = self.folder / wanted.name
        try:
            wanted.check(path, path.name)
        except (FileNotFoundError, PipelineError):
            return None
        return path

    def obtain(self, url: str, wanted: Wanted, what: str) -> Path:
        """Return the file, downloaded from ``url`` if it is missing; ``what`` names it in messages.

        Of concurrent callers one downloads, the others wait. Raises PipelineError
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
            # One partial file per mirror: their ETags are unrelated.
            part = path.with_name(f"{path.name}.{key_of({'url': url})[:16]}.part")
            resumed = part.exists()
            try:
                self._fill(part, url, wanted)
            except PipelineError as error:
                if not resumed or error.code is not Code.SOURCE_MISMATCH:
                    raise
                self.say("the partial download is stale; restarting")
                self._fill(part, url, wanted)
            replace(part, path)
            for other in self.folder.glob(f"{path.name}.*.part*"):
                other.unlink(missing_ok=True)
            return path

    @contextmanager
    def alone(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock ``name`` across threads and processes; ``what`` is shown while waiting.

        The operating system releases it when the process ends.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.say(f"waiting for another step to download {what}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def missing(self, what: str) -> PipelineError:
        """Return the error for a missing file in offline mode."""
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The file is not downloaded and the project is offline.",
            where=what,
            hint="Set offline = false in configs/project.toml, or run once online.",
        )

    def _fill(self, part: Path, url: str, wanted: Wanted) -> None:
        download(url, part, wanted, say=self.say, patience=self.patience)
        try:
            wanted.check(part, shown(url))
        except PipelineError:
            discard(part)
            raise
