"""One digest per version of a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.cache.digest_cache import DigestCache


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that was really read."""
    seen: list[Path] = []
    real = Digest.of_file

    def counted(path: Path) -> Digest:
        seen.append(path)
        return real(path)

    monkeypatch.setattr(Digest, "of_file", counted)
    return seen


def settle() -> None:
    """Let the clock tick on, so that a file's version can be told from the next."""
    time.sleep(0.06)


def test_an_unchanged_file_is_read_once_over_runs(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    settle()
    for _ in range(2):
        digests = DigestCache(tmp_path / "d.sqlite")
        assert digests.digest(file) == digests.digest(file) == Digest.of_bytes(b"abc")
        digests.close()
    assert len(reads) == 1


def test_a_same_size_edit_with_the_old_mtime_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    settle()
    digests = DigestCache(tmp_path / "d.sqlite")
    digests.digest(file)
    status = file.stat()
    file.write_bytes(b"abd")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digests.digest(file) == Digest.of_bytes(b"abd")


def test_an_edit_right_after_reading_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "x"
    digests = DigestCache(tmp_path / "d.sqlite")
    for number in range(200):
        data = f"{number:04}".encode()
        file.write_bytes(data)
        assert digests.digest(file) == Digest.of_bytes(data)


@pytest.mark.parametrize("wreck", [b"not a database", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_corrupt_database_is_moved_aside(
    tmp_path: Path, wreck: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.sqlite").write_bytes(wreck)
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    digests = DigestCache(tmp_path / "d.sqlite")
    assert digests.digest(file) == Digest.of_bytes(b"abc")
    assert "moved" in capsys.readouterr().err
    assert [p for p in tmp_path.iterdir() if "corrupt" in p.name]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    digests = DigestCache(tmp_path / "file" / "below" / "d.sqlite")
    assert digests.digest(tmp_path / "file") == Digest.of_bytes(b"")


def test_threads_that_meet_one_corrupt_database_move_it_aside_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = DigestCache(tmp_path / "d.sqlite")
    corrupt = digests._connection
    digests._reset(corrupt)
    begun = digests._connection
    digests._reset(corrupt)
    assert digests._connection is begun is not corrupt
    assert len([p for p in tmp_path.iterdir() if "corrupt" in p.name]) == 1
    assert capsys.readouterr().err.count("moved") == 1
    digests.close()
