"""The protocol of a remote cache: records by key and objects by digest."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.cache.digest import Digest

MOST_RECORD_BYTES = 2**20
# Minimum transfer rate, after the first `seconds`.
BYTES_PER_SECOND = 2**20


class RemoteError(Exception):
    """A failed request to a remote cache; the text is a short reason without secrets.

    ``final`` if every further request would fail, too.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class RemoteStore(Protocol):
    """A remote cache, which is not trusted. Every method may raise RemoteError."""

    def describe(self) -> str:
        """Return its URL without secrets."""

    def get_record(self, key: str) -> bytes | None:
        """Return the record, at most MOST_RECORD_BYTES, or None."""

    def put_record(self, key: str, data: bytes) -> None:
        """Upload a record."""

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Write at most ``digest.size`` bytes to ``target``; False if there is no such object."""

    def put_object(self, digest: Digest, source: Path) -> None:
        """Upload an object, unless it exists already."""
