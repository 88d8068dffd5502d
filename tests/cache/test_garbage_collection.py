"""Making room takes what was used longest ago, and nothing that somebody refers to."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from pipeline.cache import garbage_collection as collecting
from pipeline.cache.action_records import Record
from pipeline.cache.cache import Cache
from pipeline.cache.digest import Digest
from pipeline.cache.garbage_collection import (
    YOUNG_SECONDS,
    CollectionResult,
    collect_garbage,
    note_roots,
)
from pipeline.cache.objects import copy

SIZE = 1000
KEYS = [f"{number}" * 64 for number in "abcdef"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Cache]:
    """Return a store of six keys with an object each; ``a`` was used longest ago."""
    opened = Cache(tmp_path / "cache")
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


def left(store: Cache) -> str:
    """Return the first digits of the keys whose record and object are both there."""
    return "".join(
        key[0]
        for key in KEYS
        if store.records.get(key) and store.objects.path(digest_of(key)).exists()
    )


def size(store: Cache) -> int:
    return collect_garbage(store, 10**12).remaining


def project(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "dodo.py").touch()
    return folder


def test_a_cache_within_its_limit_stays(store: Cache) -> None:
    assert collect_garbage(store, 10**12) == CollectionResult(
        files=0, bytes=0, remaining=size(store)
    )
    assert left(store) == "abcdef"


def test_what_was_used_longest_ago_goes_first(store: Cache) -> None:
    collected = collect_garbage(store, size(store) // 2)
    assert left(store) == "def"
    assert collected.remaining <= size(store)


def test_use_counts(store: Cache, tmp_path: Path) -> None:
    assert store.lookup(KEYS[0]) is not None
    assert store.fetch(digest_of(KEYS[0]), tmp_path / "target")
    collect_garbage(store, size(store) // 2)
    assert left(store).startswith("a")


def test_what_is_young_stays_whatever_the_limit(store: Cache, tmp_path: Path) -> None:
    store.fetch(digest_of(KEYS[1]), tmp_path / "target")
    store.lookup(KEYS[1])
    collect_garbage(store, 0)
    assert left(store) == "b"


def test_what_a_project_refers_to_stays(store: Cache, tmp_path: Path) -> None:
    note_roots(store, project(tmp_path, "one"), [KEYS[0]])
    note_roots(store, project(tmp_path, "two"), [KEYS[2], KEYS[3]])
    note_roots(store, tmp_path / "two", [KEYS[3]])
    collect_garbage(store, 0)
    assert left(store) == "ad"


def test_a_project_that_is_gone_refers_to_nothing(store: Cache, tmp_path: Path) -> None:
    note_roots(store, tmp_path / "gone", KEYS)
    collect_garbage(store, 0)
    assert left(store) == ""


def test_a_dry_run_removes_nothing(store: Cache) -> None:
    told = collect_garbage(store, 0, dry=True)
    assert left(store) == "abcdef"
    assert collect_garbage(store, 0) == told


def test_wrecks_and_old_downloads_go(store: Cache, tmp_path: Path) -> None:
    wreck = store.folder / "digests.sqlite.corrupt-1"
    wreck.write_bytes(b"x")
    download = store.folder / "downloads" / "old"
    download.parent.mkdir()
    download.write_bytes(b"x" * 10)
    os.utime(download, (1, 1))
    collect_garbage(store, size(store) - 5)
    assert not wreck.exists()
    assert not download.exists()
    assert left(store) == "abcdef"


def test_a_record_that_lost_its_object_is_harmless(store: Cache, tmp_path: Path) -> None:
    store.objects.path(digest_of(KEYS[0])).unlink()
    assert not store.fetch(digest_of(KEYS[0]), tmp_path / "target")


def test_a_young_record_keeps_its_old_object(store: Cache) -> None:
    store.lookup(KEYS[2])
    collect_garbage(store, 0)
    assert left(store) == "c"


def test_what_is_used_while_it_looks_on_stays(
    store: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = collecting._kept

    def build(store: Cache, keys: Iterable[str]) -> set[Path]:
        (tmp_path / "source").write_bytes(KEYS[4].encode() * SIZE)
        store.objects.put(tmp_path / "source", digest_of(KEYS[4]))
        store.lookup(KEYS[4])
        return listed(store, keys)

    monkeypatch.setattr(collecting, "_kept", build)
    collect_garbage(store, 0)
    assert left(store) == "e"


def test_what_a_long_run_has_used_stays(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.time_ns() - int(2 * YOUNG_SECONDS * 1e9) - 350 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.scratch.time.time_ns", lambda: began)
        building = Cache(store.folder)
    with building.temporary.folder():
        collect_garbage(store, 0)
        assert left(store) == "abcdef"
    building.close()
    collect_garbage(store, 0)
    assert left(store) == ""


def test_what_another_machine_refers_to_stays_for_a_while(
    store: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("platform.node", lambda: "elsewhere")
        note_roots(store, tmp_path / "not here", [KEYS[3]])
    collect_garbage(store, 0)
    assert left(store) == "d"
    (roots,) = (store.folder / "roots").iterdir()
    os.utime(roots, (1, 1))
    collect_garbage(store, 0)
    assert left(store) == ""


def test_the_lock_of_a_download_stays(store: Cache) -> None:
    lock = store.folder / "downloads" / "model.lock"
    lock.parent.mkdir()
    lock.touch()
    os.utime(lock, (1, 1))
    collect_garbage(store, 0)
    assert lock.exists()


def test_nothing_is_left_of_the_work(store: Cache) -> None:
    collect_garbage(store, 0)
    assert [path for path in (store.folder / "tmp").rglob("*") if path.suffix != ".lock"] == [
        store.folder / "tmp" / store.temporary._run.token
    ]


def test_an_object_that_goes_as_it_is_fetched_is_missing(
    store: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(source: Path, target: Path) -> None:
        source.unlink()
        copy(source, target)

    monkeypatch.setattr("pipeline.cache.objects.copy", late)
    assert not store.fetch(digest_of(KEYS[0]), tmp_path / "target")
