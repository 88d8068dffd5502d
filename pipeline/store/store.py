"""The store as the steps see it: known digests, objects, records and locks in one folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.store.known import KnownDigests
from pipeline.store.objects import Objects
from pipeline.store.records import Records


class Store:
    """The cache folder. Everything in it can be had again, so it may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known = KnownDigests(folder / "digests.sqlite")
        self.objects = Objects(folder / "cas")
        self.records = Records(folder / "ac")

    @contextmanager
    def lock(self, name: str, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock ``name`` among all processes; ``say`` tells when it has to be waited for.

        The lock goes with the process that holds it, however that ends.
        """
        from filelock import FileLock, Timeout

        place = self.folder / "locks" / f"{name}.lock"
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say("waiting for another run that builds the same")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the database."""
        self.known.close()
