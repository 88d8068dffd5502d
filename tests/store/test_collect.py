"""Making room takes what was used longest ago, and nothing that somebody refers to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.store.collect import YOUNG_SECONDS, Collected, collect, note_roots
from pipeline.store.digest import Digest
from pipeline.store.records import Record
from pipeline.store.store import Store

SIZE = 1000
KEYS = [f"{number}" * 64 for number in "abcdef"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store of six keys with an object each; ``a`` was used longest ago."""
    opened = Store(tmp_path / "cache")
    for age, key in enumerate(reversed(KEYS)):
        source = tmp_path / "source"
        source.write_bytes(key.encode() * SIZE)
        digest = Digest.of_file(source)
        opened.objects.put(source, digest)
        opened.records.put(key, Record(action=key, outputs={"file": {"": digest}}, seconds=1))
        used = time.time() - 2 * YOUNG_SECONDS - 100 * age
        os.utime(opened.objects.path(digest), (used, used))
        os.utime(opened.records.place(key), (used, used))
    yield opened
    opened.close()


def digest_of(key: str) -> Digest:
    return Digest.of_bytes(key.encode() * SIZE)


def left(store: Store) -> str:
    """Return the first digits of the keys whose record and object are both there."""
    return "".join(
        key[0]
        for key in KEYS
        if store.records.get(key) and store.objects.path(digest_of(key)).exists()
    )


def size(store: Store) -> int:
    return collect(store, 10**12).remaining


def project(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "dodo.py").touch()
    return folder


def test_a_cache_within_its_limit_stays(store: Store) -> None:
    assert collect(store, 10**12) == Collected(files=0, bytes=0, remaining=size(store))
    assert left(store) == "abcdef"


def test_what_was_used_longest_ago_goes_first(store: Store) -> None:
    collected = collect(store, size(store) // 2)
    assert left(store) == "def"
    assert collected.remaining <= size(store)


def test_use_counts(store: Store, tmp_path: Path) -> None:
    assert store.recall(KEYS[0]) is not None
    assert store.fetch(digest_of(KEYS[0]), tmp_path / "target")
    collect(store, size(store) // 2)
    assert left(store).startswith("a")


def test_what_is_young_stays_whatever_the_limit(store: Store, tmp_path: Path) -> None:
    store.fetch(digest_of(KEYS[1]), tmp_path / "target")
    store.recall(KEYS[1])
    collect(store, 0)
    assert left(store) == "b"


def test_what_a_project_refers_to_stays(store: Store, tmp_path: Path) -> None:
    note_roots(store, project(tmp_path, "one"), [KEYS[0]])
    note_roots(store, project(tmp_path, "two"), [KEYS[2], KEYS[3]])
    note_roots(store, tmp_path / "two", [KEYS[3]])
    collect(store, 0)
    assert left(store) == "ad"


def test_a_project_that_is_gone_refers_to_nothing(store: Store, tmp_path: Path) -> None:
    note_roots(store, tmp_path / "gone", KEYS)
    collect(store, 0)
    assert left(store) == ""


def test_a_dry_run_removes_nothing(store: Store) -> None:
    told = collect(store, 0, dry=True)
    assert left(store) == "abcdef"
    assert collect(store, 0) == told


def test_wrecks_and_old_downloads_go(store: Store, tmp_path: Path) -> None:
    wreck = store.folder / "digests.sqlite.corrupt-1"
    wreck.write_bytes(b"x")
    download = store.folder / "downloads" / "old"
    download.parent.mkdir()
    download.write_bytes(b"x" * 10)
    os.utime(download, (1, 1))
    collect(store, size(store) - 5)
    assert not wreck.exists()
    assert not download.exists()
    assert left(store) == "abcdef"


def test_a_record_that_lost_its_object_is_harmless(store: Store, tmp_path: Path) -> None:
    store.objects.path(digest_of(KEYS[0])).unlink()
    assert not store.fetch(digest_of(KEYS[0]), tmp_path / "target")
