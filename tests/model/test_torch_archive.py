"""A PyTorch file that would fill the memory is refused before torch reads it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.model.convert import torch_archive
from pipeline.model.convert.torch_archive import check_archive, is_torchscript


def written(path: Path, members: dict[str, bytes], compression: int) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_a_bomb_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_archive, "_MOST_UNPACKED", 2**20)
    bomb = written(tmp_path / "net.pt", {"net/data/0": bytes(2**22)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(PipelineError) as caught:
        check_archive(bomb)
    assert caught.value.code is Code.MODEL
    assert "unpacks to too many bytes" in caught.value.message
    stored = written(tmp_path / "stored.pt", {"net/data/0": bytes(2**22)}, zipfile.ZIP_STORED)
    check_archive(stored)


def test_what_is_no_archive_is_left_to_torch(tmp_path: Path) -> None:
    (tmp_path / "old.pth").write_bytes(b"\x80\x02.")
    check_archive(tmp_path / "old.pth")


def test_a_damaged_archive_is_one_error(tmp_path: Path) -> None:
    path = written(tmp_path / "net.pt", {"net/data.pkl": b"x" * 100}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    # The signature of the central directory.
    data[data.rindex(b"PK\x01\x02")] = 0
    path.write_bytes(data)
    with pytest.raises(PipelineError):
        check_archive(path)


def test_torchscript_and_weights_are_told_apart(tmp_path: Path) -> None:
    script = {"net/constants.pkl": b"", "net/code/net.py": b""}
    assert is_torchscript(written(tmp_path / "net.pt", script, zipfile.ZIP_STORED))
    assert not is_torchscript(written(tmp_path / "w.pt", {"w/data.pkl": b""}, zipfile.ZIP_STORED))
