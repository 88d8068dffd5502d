"""Files as Dask data: their pieces, and which of them stay on the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.execution.dask.sent_files import SentFiles


@dataclass
class Piece:
    """A future of a piece."""

    data: Mapping[str, bytes]
    status: str = "finished"


@dataclass
class Client:
    """Notes what is scattered."""

    sent: list[Piece] = field(default_factory=list)

    def scatter(self, data: dict[str, Mapping[str, bytes]]) -> dict[str, Piece]:
        pieces = {key: Piece(value) for key, value in data.items()}
        self.sent += pieces.values()
        return pieces


def write(folder: Path, *contents: bytes) -> dict[Digest, Path]:
    files = {}
    for data in contents:
        digest = Digest.of_bytes(data)
        files[digest] = folder / digest.sha256
        files[digest].write_bytes(data)
    return files


def joined(pieces: list[Piece], digest: Digest) -> bytes:
    return b"".join(piece.data.get(digest.sha256, b"") for piece in pieces)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.dask.sent_files.PIECE", 16 << 20)


def test_large_files_are_cut_and_small_ones_are_put_together(tmp_path: Path) -> None:
    files = write(tmp_path, b"", b"a", b"b" * 1000, bytes(range(256)) * (160 << 10))
    pieces = SentFiles(Client()).send(files)
    assert [len(piece.data) for piece in pieces] == [1, 1, 1, 3]
    assert max(sum(map(len, piece.data.values())) for piece in pieces) == 16 << 20
    assert {digest: joined(pieces, digest) for digest in files} == {
        digest: path.read_bytes() for digest, path in files.items()
    }


def test_many_small_files_are_several_pieces(tmp_path: Path) -> None:
    files = write(tmp_path, *(bytes([number]) * (1 << 20) for number in range(20)))
    pieces = SentFiles(Client()).send(files)
    assert [len(piece.data) for piece in pieces] == [16, 4]
    assert all(joined(pieces, digest) == path.read_bytes() for digest, path in files.items())


def test_files_are_sent_once_unless_they_are_lost(tmp_path: Path) -> None:
    client = Client()
    files, sent = write(tmp_path, b"a" * (2 << 20), b"b"), SentFiles(client)
    first = sent.send(files)
    assert sent.send(files) == first
    assert len(client.sent) == 2
    first[1].status = "lost"
    assert sent.send(files)[0] is first[0]
    assert len(client.sent) == 3


def test_the_files_used_last_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pipeline.execution.dask.sent_files._MOST_KEPT", 20)
    client = Client()
    sent = SentFiles(client)
    one, two, three = (write(tmp_path, data * 10) for data in (b"1", b"2", b"3"))
    for files in (one, two, one, three, one):
        sent.send(files)
    assert [joined(client.sent, digest)[:1] for digest in (*one, *two, *three)] == [
        b"1",
        b"2",
        b"3",
    ]
    assert len(client.sent) == 3
    sent.send(two)
    assert len(client.sent) == 4


@pytest.mark.parametrize("size", [3, 20 << 20])
def test_a_file_that_does_not_have_its_digest_is_an_error(tmp_path: Path, size: int) -> None:
    ((digest, path),) = write(tmp_path, b"x" * size).items()
    for data in (b"y" * size, b"x" * (size - 1), b""):
        path.write_bytes(data)
        with pytest.raises(PipelineError) as caught:
            SentFiles(Client()).send({digest: path})
        assert caught.value.code is Code.STORAGE
        assert caught.value.where == str(path)
