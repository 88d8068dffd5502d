"""Garbage collection of the cache folder: least recently used files are removed first."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.cache.cache import Cache
from pipeline.cache.digest import key_of
from pipeline.cache.json_decoding import decode_json
from pipeline.cache.owned_folder import remove

# Younger files are kept, as are files used since the start of the oldest live run.
YOUNG_SECONDS = 600.0
# Roots of another host's project, whose existence cannot be checked, expire after this time.
ELSEWHERE_SECONDS = 30 * 86400.0


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """The current keys of a project's steps; ``project`` is its folder on ``host``."""

    host: str
    project: str
    keys: list[str]


@dataclass(frozen=True)
class CacheEntry:
    """A removable file of the cache: its size in bytes and the Unix time of its last use.

    The name of a ``record`` is its key.
    """

    path: Path
    size: int
    used: float
    record: bool


@dataclass(frozen=True)
class CollectionResult:
    """Removed files and bytes (or, in a dry run, removable ones), and the remaining bytes."""

    files: int
    bytes: int
    remaining: int


def note_roots(cache: Cache, project: Path, keys: Collection[str]) -> None:
    """Register the keys that a project uses, so that collections keep them."""
    roots = Roots(host=platform.node(), project=str(project), keys=sorted(keys))
    data = msgspec.json.encode(roots)
    place = _roots(cache) / f"{key_of({'host': roots.host, 'project': roots.project})[:16]}.json"
    with suppress(OSError):
        if place.exists() and place.read_bytes() == data:
            os.utime(place)
        else:
            with cache.temporary.atomic_write(place) as part:
                part.write_bytes(data)


def collect_garbage(
    cache: Cache, limit: int, progress: Callable[[str], None] = lambda _: None, *, dry: bool = False
) -> CollectionResult:
    """Remove files until at most ``limit`` bytes remain; raises OSError.

    Always kept: files that registered projects refer to, as long as the project's folder exists;
    files used since the start of the oldest live run, or in the last ten minutes; and files used
    during the collection. Files are removed one by one and do not depend on each other, so a
    collection may be interrupted; missing files are built again. ``progress`` is called while
    waiting for another collection.
    """
    waiting = "waiting for another collection"
    with cache.lock("collect", lambda _: progress(waiting)), cache.temporary.folder() as bin_:
        oldest = cache.temporary.sweep() - YOUNG_SECONDS
        entries = list(_entries(cache.folder))
        used = [entry.path.name for entry in entries if entry.record and entry.used > oldest]
        kept = _kept(cache, [*used, *_rooted(cache, dry)])
        total = sum(entry.size for entry in entries)
        files = freed = 0
        for entry in sorted(entries, key=lambda entry: entry.used):
            corrupt = ".corrupt-" in entry.path.name
            if not corrupt and (total - freed <= limit or entry.used > oldest):
                continue
            if entry.path in kept:
                continue
            if not dry and not _removed(entry, bin_, cache.folder):
                continue
            files, freed = files + 1, freed + entry.size
        return CollectionResult(files=files, bytes=freed, remaining=total - freed)


def _removed(entry: CacheEntry, bin_: Path, owned: Path) -> bool:
    """Remove a file, unless it was used since it was listed or removal is not permitted.

    It is renamed before its mtime is checked: a later user finds it missing and builds it again,
    an earlier one has touched it.
    """
    gone = bin_ / uuid.uuid4().hex
    try:
        entry.path.rename(gone)
        if gone.stat().st_mtime <= entry.used:
            remove(gone, owned)
            return True
        gone.replace(entry.path)
    except OSError:
        pass
    return False


def _rooted(cache: Cache, dry: bool) -> Iterator[str]:
    """Yield the keys that registered projects refer to."""
    for place in _roots(cache).glob("*.json"):
        try:
            roots = decode_json(place.read_bytes(), Roots)
            used = place.stat().st_mtime
        except (OSError, msgspec.MsgspecError):
            continue
        if _is_there(roots, used):
            yield from roots.keys
        elif not dry:
            remove(place, cache.folder)


def _kept(cache: Cache, keys: Iterable[str]) -> set[Path]:
    """Return the paths of the records of these keys and of their objects."""
    kept = set()
    for key in keys:
        kept.add(cache.records.place(key))
        record = cache.records.get(key)
        for members in record.outputs.values() if record else ():
            kept.update(cache.objects.path(digest) for digest in members.values())
    return kept


def _is_there(roots: Roots, used: float) -> bool:
    if roots.host != platform.node():
        return time.time() - used < ELSEWHERE_SECONDS
    return (Path(roots.project) / "dodo.py").exists()


def _entries(folder: Path) -> Iterator[CacheEntry]:
    places = [
        *folder.glob("ac/*/*"),
        *folder.glob("cas/*/*"),
        *folder.glob("downloads/*"),
        *folder.glob("*.corrupt-*"),
    ]
    for path in places:
        with suppress(OSError):
            status = path.lstat()
            # A held lock file must not be removed, or two processes could hold it.
            if path.is_file() and path.suffix != ".lock":
                record = path.parent.parent == folder / "ac"
                yield CacheEntry(path, status.st_size, status.st_mtime, record)


def _roots(cache: Cache) -> Path:
    return cache.folder / "roots"
