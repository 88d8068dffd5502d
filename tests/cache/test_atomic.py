"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cache.atomic import atomic_write, leftovers, write_bytes


def test_a_written_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "deep" / "x.bin", b"abc")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["x.bin"]
    assert (tmp_path / "deep" / "x.bin").read_bytes() == b"abc"


def test_a_failure_midway_keeps_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "x.bin"
    target.write_bytes(b"old")

    def fail_midway() -> None:
        with atomic_write(target) as part:
            part.write_bytes(b"ne")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail_midway()
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]
    assert target.read_bytes() == b"old"


def test_a_long_name_with_spaces_and_umlauts(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ein schöner Name.bin", b"x")
    assert (tmp_path / "ein schöner Name.bin").exists()


def test_what_an_interrupted_write_left_is_found_by_the_name_of_its_target(tmp_path: Path) -> None:
    target, other = tmp_path / "x[1].bin", tmp_path / "x1.bin"
    with atomic_write(target) as part, atomic_write(other):
        assert list(leftovers(target)) == [part]
    assert list(leftovers(target)) == []
