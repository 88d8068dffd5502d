"""Making room in the cache folder: what was used longest ago goes first."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.store.digest import Digest
from pipeline.store.store import Store

# What a running build has just put, or is about to refer to, is younger than this.
YOUNG_SECONDS = 600.0


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that a project's steps have now; ``project`` is its folder."""

    project: str
    keys: list[str]


@dataclass(frozen=True)
class Entry:
    """A file of the cache that may go: its size in bytes, and when it was last used."""

    path: Path
    size: int
    used: float


@dataclass(frozen=True)
class Collected:
    """What was removed, or would be: files and bytes; and the bytes that remain."""

    files: int
    bytes: int
    remaining: int


def note_roots(store: Store, project: Path, keys: Collection[str]) -> None:
    """Note which keys a project refers to, so that no other project's collection drops them."""
    roots = Roots(project=str(project), keys=sorted(keys))
    data = msgspec.json.encode(roots)
    place = _roots(store) / f"{Digest.of_bytes(str(project).encode()).sha256[:16]}.json"
    with suppress(OSError):
        if not place.exists() or place.read_bytes() != data:
            with store.temporary.aside(place) as part:
                part.write_bytes(data)


def collect(store: Store, limit: int, *, dry: bool = False) -> Collected:
    """Remove files until at most ``limit`` bytes remain; raises OSError.

    Kept in any case: what the noted projects refer to, as long as their folder is there, and what
    is younger than ten minutes, since a build may be about to refer to it. Every file is removed
    by itself and none is needed for another to be read, so the work may be broken off at any
    moment; whatever is missing then is built again.
    """
    with store.lock("collect", lambda _: None):
        kept = _kept(store)
        entries = list(_entries(store.folder))
        total = sum(entry.size for entry in entries)
        oldest = time.time() - YOUNG_SECONDS
        files = freed = 0
        for entry in sorted(entries, key=lambda entry: entry.used):
            wreck = ".corrupt-" in entry.path.name
            if not wreck and (total - freed <= limit or entry.used > oldest):
                continue
            if entry.path in kept:
                continue
            if not dry:
                with suppress(FileNotFoundError):
                    entry.path.unlink()
            files, freed = files + 1, freed + entry.size
        return Collected(files=files, bytes=freed, remaining=total - freed)


def _kept(store: Store) -> set[Path]:
    """Return the files that some project refers to."""
    kept = set()
    for place in _roots(store).glob("*.json"):
        try:
            roots = msgspec.json.decode(place.read_bytes(), type=Roots)
        except (OSError, msgspec.MsgspecError):
            continue
        if not (Path(roots.project) / "dodo.py").exists():
            place.unlink(missing_ok=True)
            continue
        for key in roots.keys:
            kept.add(store.records.place(key))
            record = store.records.get(key)
            for members in record.outputs.values() if record else ():
                kept.update(store.objects.path(digest) for digest in members.values())
    return kept


def _entries(folder: Path) -> Iterator[Entry]:
    places = [
        *folder.glob("ac/*/*"),
        *folder.glob("cas/*/*"),
        *folder.glob("downloads/*"),
        *folder.glob("*.corrupt-*"),
    ]
    for path in places:
        with suppress(OSError):
            status = path.lstat()
            if path.is_file():
                yield Entry(path, status.st_size, status.st_mtime)


def _roots(store: Store) -> Path:
    return store.folder / "roots"
