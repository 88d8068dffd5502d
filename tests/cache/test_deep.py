"""What is kept beside the objects, nested deeper than any reader goes: as if it were not there."""

from __future__ import annotations

from pathlib import Path

from pipeline.cache.action_records import Records
from pipeline.cache.atomic import atomic_write
from pipeline.cache.digest import Digest
from pipeline.cache.history import History

DEEP = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def test_a_deep_record_is_dropped(tmp_path: Path) -> None:
    records = Records(tmp_path)
    place = records.place("ab" * 32)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(Digest.of_bytes(DEEP).sha256.encode() + b"\n" + DEEP)
    assert records.get("ab" * 32) is None
    assert not place.exists()


def test_deep_notes_of_a_step_are_none(tmp_path: Path) -> None:
    for what in ("made", "failed"):
        (tmp_path / f"ir%3Anet.{what}.json").write_bytes(DEEP)
    history = History(tmp_path, atomic_write)
    assert history.last_build("ir:net") is None
    assert history.last_failure("ir:net") is None
