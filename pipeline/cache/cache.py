"""The local cache: file digests, objects, records and locks in one folder."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.cache.action_records import Record, Records
from pipeline.cache.digest import Digest
from pipeline.cache.digest_cache import DigestCache
from pipeline.cache.objects import Objects
from pipeline.cache.owned_folder import claim
from pipeline.cache.remote.remote_cache import RemoteCache
from pipeline.cache.temporary import Temporary

_SAY_SECONDS = 1.0
# What is in a cache, also of versions that put no marker into it, and on a disk of its own.
_DATABASE = "digests.sqlite"
_NAMES = (
    "ac",
    "cas",
    "downloads",
    "locks",
    "roots",
    "tmp",
    "toolchains",
    f"{_DATABASE}*",
    "lost+found",
)


class Cache:
    """The cache folder, optionally backed by a remote cache.

    Everything in it can be built or downloaded again, so it may be deleted at any time.
    """

    def __init__(self, folder: Path, remote: RemoteCache | None = None) -> None:
        self.folder = folder
        self.remote = remote
        self.digests = DigestCache(folder / _DATABASE, self.claim)
        self.temporary = Temporary(folder / "tmp", self.claim)
        self.objects = Objects(folder / "cas", self.temporary.atomic_write)
        self.records = Records(folder / "ac", self.temporary.atomic_write)
        self._closed = False

    def claim(self) -> Path:
        """Make the folder ours and return it; raises NotOwnedError if it has other files."""
        claim(self.folder, known=_NAMES)
        return self.folder

    def lookup(self, key: str) -> Record | None:
        """Return the record of a key, local or remote, and store it locally; raises OSError."""
        record = self.peek(key)
        if record is not None and not self.records.touch(key):
            self.records.put(key, record)
        return record

    def peek(self, key: str) -> Record | None:
        """Return the record of a key, local or remote."""
        record = self.records.get(key)
        if record is None and self.remote is not None:
            record = self.remote.record(key)
        return record

    def fetch(self, digest: Digest, target: Path) -> bool:
        """Write an object, local or remote, to ``target``; False if there is none."""
        if self.objects.fetch(digest, target):
            return True
        return (
            self.remote is not None
            and self.remote.fetch_object(digest, self.objects)
            and self.objects.fetch(digest, target)
        )

    def put(self, key: str, record: Record, *, share: bool) -> None:
        """Store the record of a key, whose objects are stored already; raises OSError."""
        self.records.put(key, record)
        if share and self.remote is not None:
            self.remote.upload(key, record, self.objects)

    @contextmanager
    def lock(self, name: str, progress: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock ``name`` across processes; ``progress`` is called while waiting.

        The operating system releases it when the process ends. Raises OSError, also when the
        store is closed meanwhile.
        """
        from filelock import FileLock, Timeout

        place = self.claim() / "locks" / f"{name}.lock"
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        timeout = 0.0
        while not lock.is_locked:
            if self._closed:
                raise FileNotFoundError(errno.ENOENT, "The run has ended", str(place))
            try:
                lock.acquire(timeout=timeout)
            except Timeout:
                progress("waiting for another run that builds this step")
                timeout = _SAY_SECONDS
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the database and remove temporary files."""
        self._closed = True
        self.temporary.close()
        self.digests.close()
