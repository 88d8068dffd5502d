"""A cache elsewhere, as the store sees it: records by key and objects by digest."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pipeline.store.digest import Digest

MOST_RECORD_BYTES = 2**20


class RemoteFault(Exception):
    """The cache did not do what it was asked; the text says why, in a few words, no secret in it.

    ``final`` when asking again, or for anything else, would fail the same way.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Remote(Protocol):
    """A cache elsewhere. Nothing that it says is believed; every method may raise RemoteFault."""

    def describe(self) -> str:
        """Return its address, without what is secret in it."""

    def get_record(self, key: str) -> bytes | None:
        """Return at most MOST_RECORD_BYTES, or None where it has no record."""

    def put_record(self, key: str, data: bytes) -> None:
        """Keep a record."""

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Write at most ``digest.size`` bytes to ``target``; False where it has no such object."""

    def put_object(self, digest: Digest, source: Path) -> None:
        """Keep an object, unless it is there already."""
