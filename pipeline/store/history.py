"""The history of a project's steps: the last build of each and its last failure."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from pipeline.store.atomic import Aside
from pipeline.store.decoded import decoded

T = TypeVar("T", bound=msgspec.Struct)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """The last successful build of a step.

    ``key`` is the hash of ``parts``, ``code`` the digest of each file of the recipe's code,
    ``seconds`` the duration of the recipe's run, ``when`` the Unix time of its end.
    """

    key: str
    parts: dict[str, Any]
    code: dict[str, str] = {}
    outcome: str
    seconds: float
    when: float


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The last failure of a step, if no success followed."""

    code: str
    message: str
    when: float


class History:
    """Two small files per step in a folder of the project, which may be deleted at any time."""

    def __init__(self, folder: Path, aside: Aside) -> None:
        self._folder = folder
        self._aside = aside

    def made(self, step: str) -> Made | None:
        """Return the step's last successful build in this project, or None."""
        return _read(self._place(step, "made"), Made)

    def failed(self, step: str) -> Failed | None:
        """Return the step's failure if its last run failed, or None."""
        return _read(self._place(step, "failed"), Failed)

    def note_made(self, step: str, made: Made) -> None:
        """Save a successful build; write errors are ignored."""
        with suppress(OSError):
            self._write(self._place(step, "made"), made)
            self._place(step, "failed").unlink(missing_ok=True)

    def note_failed(self, step: str, failed: Failed) -> None:
        """Save a failure; write errors are ignored."""
        with suppress(OSError):
            self._write(self._place(step, "failed"), failed)

    def _write(self, place: Path, value: msgspec.Struct) -> None:
        with self._aside(place) as part:
            part.write_bytes(msgspec.json.encode(value))

    def _place(self, step: str, what: str) -> Path:
        return self._folder / f"{quote(step, safe='')}.{what}.json"


def _read(place: Path, kind: type[T]) -> T | None:
    try:
        return decoded(place.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError):
        return None
