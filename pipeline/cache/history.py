"""The history of a project's steps: the last build of each and its last failure."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec

from pipeline.cache.atomic import AtomicWriter
from pipeline.cache.json_decoding import decode_json

T = TypeVar("T", bound=msgspec.Struct)
_KINDS = ("made", "failed")


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
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


class FailureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The last failure of a step, if no success followed; ``evidence`` is its error's."""

    code: str
    message: str
    when: float
    evidence: dict[str, Any] = {}


def failed_last_time(failed: FailureRecord) -> str:
    """Return how a step failed, as every command words it."""
    return f"failed last time: {failed.message}"


class History:
    """Two small files per step in a folder of the project, which may be deleted at any time."""

    def __init__(self, folder: Path, atomic_write: AtomicWriter) -> None:
        self._folder = folder
        self._atomic_write = atomic_write

    def last_build(self, step: str) -> BuildRecord | None:
        """Return the step's last successful build in this project, or None."""
        return _read(self._place(step, "made"), BuildRecord)

    def last_failure(self, step: str) -> FailureRecord | None:
        """Return the step's failure if its last run failed, or None."""
        return _read(self._place(step, "failed"), FailureRecord)

    def record_build(self, step: str, made: BuildRecord) -> None:
        """Save a successful build; write errors are ignored."""
        with suppress(OSError):
            self._write(self._place(step, "made"), made)
            self._place(step, "failed").unlink(missing_ok=True)

    def record_failure(self, step: str, failed: FailureRecord) -> None:
        """Save a failure; write errors are ignored."""
        with suppress(OSError):
            self._write(self._place(step, "failed"), failed)

    def steps(self) -> set[str]:
        """Return the steps of which anything is kept."""
        try:
            names = [path.name for path in self._folder.iterdir()]
        except OSError:
            return set()
        ends = tuple(f".{what}.json" for what in _KINDS)
        return {unquote(name.rsplit(".", 2)[0]) for name in names if name.endswith(ends)}

    def drop(self, step: str) -> None:
        """Forget how a step was made and how it failed; what cannot be removed stays."""
        for what in _KINDS:
            with suppress(OSError):
                self._place(step, what).unlink(missing_ok=True)

    def _write(self, place: Path, value: msgspec.Struct) -> None:
        with self._atomic_write(place) as part:
            part.write_bytes(msgspec.json.encode(value))

    def _place(self, step: str, what: str) -> Path:
        return self._folder / f"{quote(step, safe='')}.{what}.json"


def _read(place: Path, kind: type[T]) -> T | None:
    try:
        return decode_json(place.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError):
        return None
