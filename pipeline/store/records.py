"""The action cache: what each key gave, one small file per key."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.store.atomic import Aside, aside
from pipeline.store.decoded import decoded
from pipeline.store.digest import Digest
from pipeline.store.objects import touch


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of one action: label → path inside the output → digest; and how long it took.

    The path is empty for an output that is a file.
    """

    action: str
    outputs: dict[str, dict[str, Digest]]
    seconds: float


class Records:
    """Records by key, in ``<folder>/<first two digits>/<key>``: a SHA-256, a newline, JSON."""

    def __init__(self, folder: Path, aside: Aside = aside) -> None:
        self._folder = folder
        self._aside = aside

    def get(self, key: str) -> Record | None:
        """Return the record, or None; one that cannot be read is dropped."""
        place = self.place(key)
        try:
            sha256, _, data = place.read_bytes().partition(b"\n")
            if Digest.of_bytes(data).sha256.encode() != sha256:
                raise ValueError("the record is damaged")
            return decoded(data, Record)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError, ValueError):
            self.drop(key)
            return None

    def put(self, key: str, record: Record) -> None:
        """Keep a record; raises OSError."""
        with self._aside(self.place(key)) as part:
            data = msgspec.json.encode(record)
            part.write_bytes(Digest.of_bytes(data).sha256.encode() + b"\n" + data)

    def touch(self, key: str) -> bool:
        """Note that the record was used; false if there is none."""
        return touch(self.place(key))

    def drop(self, key: str) -> None:
        """Forget a record; fine if there is none."""
        place = self.place(key)
        with suppress(OSError):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()

    def place(self, key: str) -> Path:
        """Return where the record lies, whether or not it is there."""
        return self._folder / key[:2] / key
