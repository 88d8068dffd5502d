"""The content-addressed store gives back what was put in, or nothing."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cache.action_records import Record, Records
from pipeline.cache.digest import Digest, canonical_json, key_of
from pipeline.cache.objects import Objects

DIGEST = Digest.of_bytes(b"abc")


def kept(tmp_path: Path) -> Objects:
    (tmp_path / "source").write_bytes(b"abc")
    objects = Objects(tmp_path / "cas")
    objects.put(tmp_path / "source", DIGEST)
    return objects


def test_an_object_comes_back(tmp_path: Path) -> None:
    assert kept(tmp_path).fetch(DIGEST, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"abc"


def test_a_missing_object_is_told(tmp_path: Path) -> None:
    assert not Objects(tmp_path).fetch(DIGEST, tmp_path / "back")


def test_a_flipped_object_is_dropped_and_can_be_put_again(tmp_path: Path) -> None:
    objects = kept(tmp_path)
    objects.path(DIGEST).write_bytes(b"abd")
    assert not objects.fetch(DIGEST, tmp_path / "back")
    assert not objects.path(DIGEST).exists()
    objects.put(tmp_path / "source", DIGEST)
    assert objects.fetch(DIGEST, tmp_path / "back")


def test_a_record_comes_back_and_a_corrupt_one_is_dropped(tmp_path: Path) -> None:
    records = Records(tmp_path)
    record = Record(action="ir:x", outputs={"xml": {"": DIGEST}}, seconds=1.5)
    records.put("ab" * 32, record)
    assert records.get("ab" * 32) == record
    place = next(path for path in tmp_path.rglob("*") if path.is_file())
    for wreck in (b"", b"{}", b"\xff", place.read_bytes()[:-4], b'{"action": 3}'):
        place.write_bytes(wreck)
        assert records.get("ab" * 32) is None
        assert not place.exists()


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none()))
def test_a_key_does_not_depend_on_the_order(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(value) == canonical_json(turned)
    assert key_of(value) == key_of(turned)
