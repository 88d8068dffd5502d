"""The action cache: the outputs of each key, one small file per key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.cache.atomic import AtomicWriter, atomic_write
from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.cache.objects import touch
from pipeline.cache.owned_folder import remove


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of one action: label → path inside the output → digest; and its duration.

    The path is empty if the output is a file.
    """

    action: str
    outputs: dict[str, dict[str, Digest]]
    seconds: float


class Records:
    """Records by key, in ``<folder>/<first two digits>/<key>``: SHA-256, newline, JSON."""

    def __init__(self, folder: Path, atomic_write: AtomicWriter = atomic_write) -> None:
        self._folder = folder
        self._atomic_write = atomic_write

    def get(self, key: str) -> Record | None:
        """Return the record, or None; a corrupt one is removed."""
        place = self.place(key)
        try:
            sha256, _, data = place.read_bytes().partition(b"\n")
            if Digest.of_bytes(data).sha256.encode() != sha256:
                raise ValueError("the record is damaged")
            return decode_json(data, Record)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError, ValueError):
            self.drop(key)
            return None

    def put(self, key: str, record: Record) -> None:
        """Store a record; raises OSError."""
        with self._atomic_write(self.place(key)) as part:
            data = msgspec.json.encode(record)
            part.write_bytes(Digest.of_bytes(data).sha256.encode() + b"\n" + data)

    def touch(self, key: str) -> bool:
        """Update the time of the record's last use; False if there is none."""
        return touch(self.place(key))

    def drop(self, key: str) -> None:
        """Remove a record if it exists."""
        place = self.place(key)
        with suppress(OSError):
            if place.is_dir() and not place.is_symlink():
                remove(place, self._folder.parent)
            else:
                place.unlink()

    def place(self, key: str) -> Path:
        """Return the path of the record, whether or not it exists."""
        return self._folder / key[:2] / key
