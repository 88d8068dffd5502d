"""The download folder: complete files named by digest, partial ones beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache.atomic import replace
from pipeline.cache.digest import key_of
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import ProgressCallback
from pipeline.http.client import HttpGet, http_get
from pipeline.http.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from pipeline.http.urls import redacted_url
from pipeline.source.download import discard, download
from pipeline.source.expected_file import ExpectedFile


@dataclass(frozen=True)
class DownloadCache:
    """The download folder, shared by all sources and runs, and its settings.

    Everything in it can be downloaded again, so it may be deleted at any time. ``npm`` is the
    program that locates npm packages.
    """

    folder: Path
    offline: bool
    progress: ProgressCallback
    policy: RetryPolicy = DEFAULT_RETRY_POLICY
    npm: str = "npm"

    def get(self, expected: ExpectedFile) -> Path | None:
        """Return the file if it is present and matches ``expected``; raises OSError."""
        path = self.folder / expected.name
        try:
            expected.check(path, path.name)
        except (FileNotFoundError, PipelineError):
            return None
        return path

    def fetch(self, url: str, expected: ExpectedFile, what: str, get: HttpGet = http_get) -> Path:
        """Return the file, downloaded from ``url`` if it is missing; ``what`` names it in messages.

        ``get`` sends the requests, such as with a login. Of concurrent callers one downloads, the
        others wait. Raises PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH) and OSError.
        """
        if path := self.get(expected):
            return path
        if self.offline:
            raise self.offline_error(what)
        with self.lock(expected.name, what):
            if path := self.get(expected):
                return path
            path = self.folder / expected.name
            # One partial file per mirror: their ETags are unrelated.
            part = path.with_name(f"{path.name}.{key_of({'url': url})[:16]}.part")
            resumed = part.exists()
            try:
                self._fill(part, url, expected, get)
            except PipelineError as error:
                if not resumed or error.code is not Code.SOURCE_MISMATCH:
                    raise
                self.progress("the partial download is stale; restarting")
                self._fill(part, url, expected, get)
            replace(part, path)
            for other in self.folder.glob(f"{path.name}.*.part*"):
                other.unlink(missing_ok=True)
            return path

    @contextmanager
    def lock(self, name: str, what: str) -> Iterator[None]:
        """Hold the lock ``name`` across threads and processes; ``what`` is shown while waiting.

        The operating system releases it when the process ends.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.progress(f"waiting for another step to download {what}")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def offline_error(self, what: str) -> PipelineError:
        """Return the error for a missing file in offline mode."""
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The file is not downloaded and the project is offline.",
            where=what,
            hint="Set offline = false in configs/project.toml, or run once online.",
        )

    def _fill(self, part: Path, url: str, expected: ExpectedFile, get: HttpGet) -> None:
        download(url, part, expected, progress=self.progress, policy=self.policy, get=get)
        try:
            expected.check(part, redacted_url(url))
        except PipelineError:
            discard(part)
            raise
