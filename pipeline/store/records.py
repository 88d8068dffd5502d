"""The action cache: what each key gave, one small file per key."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.store.atomic import Aside, aside
from pipeline.store.digest import Digest


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of one action: label → path inside the output → digest; and how long it took.

    The path is empty for an output that is a file.
    """

    action: str
    outputs: dict[str, dict[str, Digest]]
    seconds: float


class Records:
    """Records by key, in ``<folder>/<first two digits>/<key>``."""

    def __init__(self, folder: Path, aside: Aside = aside) -> None:
        self._folder = folder
        self._aside = aside

    def get(self, key: str) -> Record | None:
        """Return the record, or None; one that cannot be read is dropped."""
        place = self._place(key)
        try:
            return msgspec.json.decode(place.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError, ValueError):
            self.drop(key)
            return None

    def put(self, key: str, record: Record) -> None:
        """Keep a record; raises OSError."""
        with self._aside(self._place(key)) as part:
            part.write_bytes(msgspec.json.encode(record))

    def drop(self, key: str) -> None:
        """Forget a record; fine if there is none."""
        with suppress(OSError):
            self._place(key).unlink()

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / key
