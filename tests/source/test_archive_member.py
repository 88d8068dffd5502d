"""One member comes out of an archive, and nothing else comes of it, whatever the archive holds."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import Code, PipelineError
from pipeline.source.archive_member import member_pieces
from tests.source.packages import sdist, wheel

DATA = b"the file" * 5000
WHEEL = wheel({"a/__init__.py": b"", "a/x.bin": DATA, "a-1.0.dist-info/RECORD": b""})
SDIST = sdist({"a-1.0/a/x.bin": DATA, "a-1.0/PKG-INFO": b"Name: a"})


def read(folder: Path, archive: bytes, member: str, *, below_top: bool = False) -> bytes | None:
    path = folder / "archive"
    path.write_bytes(archive)
    with member_pieces(path, member, below_top=below_top, label="a.whl") as pieces:
        return None if pieces is None else b"".join(pieces)


def refused(folder: Path, archive: bytes, member: str, *, below_top: bool = False) -> str:
    with pytest.raises(PipelineError) as caught:
        read(folder, archive, member, below_top=below_top)
    assert caught.value.code is Code.SOURCE_ARCHIVE
    assert caught.value.where == "a.whl"
    return caught.value.message


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type = kind
    info.linkname = target
    return info


def test_a_member_of_a_wheel_is_named_exactly(tmp_path: Path) -> None:
    assert read(tmp_path, WHEEL, "a/x.bin") == DATA
    assert read(tmp_path, WHEEL, "x.bin") is None
    assert read(tmp_path, WHEEL, "a/X.bin") is None
    assert read(tmp_path, WHEEL, "a/x.bi") is None


def test_a_member_of_an_sdist_is_named_below_the_top_folder(tmp_path: Path) -> None:
    assert read(tmp_path, SDIST, "a/x.bin", below_top=True) == DATA
    assert read(tmp_path, SDIST, "a-1.0/a/x.bin", below_top=True) is None
    zipped = wheel({"a-1.0/": b"", "a-1.0/a/x.bin": DATA})
    assert read(tmp_path, zipped, "a/x.bin", below_top=True) == DATA


def test_only_one_top_folder_is_left_out(tmp_path: Path) -> None:
    two = sdist({"a-1.0/PKG-INFO": b"", "b-1.0/x.bin": DATA})
    assert read(tmp_path, two, "x.bin", below_top=True) is None


def test_an_empty_member_is_a_file_too(tmp_path: Path) -> None:
    assert read(tmp_path, WHEEL, "a/__init__.py") == b""
    assert read(tmp_path, sdist({"a-1.0/x": b""}), "x", below_top=True) == b""


def test_names_that_climb_out_write_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    for name in ("../../evil", "/tmp/evil-by-wasi-nn", "a-1.0/../../../evil"):
        for archive in (
            wheel({name: b"evil", "a-1.0/x": DATA}),
            sdist({"a-1.0/x": DATA, name: b""}),
        ):
            read(folder, archive, "evil", below_top=True)
            assert read(folder, sdist({"a-1.0/x": DATA}), "x", below_top=True) == DATA
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "deep", "folder"]
    assert not Path("/tmp/evil-by-wasi-nn").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_what_is_no_regular_file_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    archive = sdist({"a-1.0/s": b"", "a-1.0/x": link(kind, str(tmp_path / "secret"))})
    assert refused(tmp_path, archive, "x", below_top=True) == "x is not a regular file."


def test_a_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/hostname")
    assert refused(tmp_path, out.getvalue(), "x") == "x is not a regular file."


def test_a_folder_in_a_wheel_is_no_file(tmp_path: Path) -> None:
    archive = wheel({"a/": b"", "a/x": DATA})
    assert read(tmp_path, archive, "a") is None


@pytest.mark.parametrize("at", [0, 1, 10, 100, len(SDIST) // 2])
def test_a_truncated_sdist_is_one_clear_error(tmp_path: Path, at: int) -> None:
    assert refused(tmp_path, SDIST[:at], "not there", below_top=True)


@pytest.mark.parametrize("at", [0, 10, 100, len(WHEEL) - 1])
def test_a_truncated_wheel_is_one_clear_error(tmp_path: Path, at: int) -> None:
    assert refused(tmp_path, WHEEL[:at], "a/x.bin")


def test_a_member_whose_bytes_were_changed_is_one_clear_error(tmp_path: Path) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("x", DATA)
    changed = stored.getvalue().replace(b"the file", b"the fire", 1)
    assert refused(tmp_path, changed, "x") == "The archive is damaged."


def test_an_offset_before_the_start_is_one_clear_error(tmp_path: Path) -> None:
    data = bytearray(WHEEL)
    # The directory is said to begin later than it does, so what it lists begins before the file.
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 16, len(WHEEL) - 1)
    assert refused(tmp_path, bytes(data), "a/x.bin") == "The archive is damaged."


def test_unusual_kinds_of_archives_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", DATA)
    assert "unsupported" in refused(tmp_path, out.getvalue(), "x")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz"):
        pass
    assert "neither" in refused(tmp_path, out.getvalue(), "x")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(WHEEL)
    at = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    data[at + 8] |= 1
    assert "encrypted" in refused(tmp_path, bytes(data), "a/x.bin")


def test_a_wheel_with_a_huge_directory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    data = bytearray(WHEEL)
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 12, 17 << 20)
    assert refused(tmp_path, bytes(data), "a/x.bin") == "The archive has too many files."
    end = WHEEL.rindex(b"PK\5\6")
    locator = b"PK\6\7" + bytes(16)
    far = WHEEL[:end] + locator + WHEEL[end:]
    assert refused(tmp_path, far, "a/x.bin") == "The archive has too many files."


def huge_header(kind: bytes, size: int) -> bytes:
    """Return a tar.gz whose first header claims ``size`` bytes of zeros, packed small."""
    info = tarfile.TarInfo("././@LongLink")
    info.type = kind
    info.size = size
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    pieces = [pack.compress(info.tobuf(tarfile.GNU_FORMAT))]
    pieces += [pack.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*pieces, pack.flush()])


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = huge_header(kind, 8 << 20)
    assert "too long" in refused(tmp_path, archive, "x", below_top=True)


def test_a_bomb_before_the_member_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.source.archive_member._LARGEST", 1 << 20)
    archive = sdist({"a-1.0/zeros": bytes(2 << 20), "a-1.0/x": DATA})
    assert "unpacks to more than" in refused(tmp_path, archive, "x", below_top=True)


def test_an_archive_of_endless_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.source.archive_member._MOST_ENTRIES", 10)
    archive = sdist({f"a-1.0/{number}": b"" for number in range(11)} | {"a-1.0/x": DATA})
    assert "more than 10 files" in refused(tmp_path, archive, "x", below_top=True)


def test_a_member_is_read_in_pieces_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(wheel({"x": bytes(64 << 20)}))
    with member_pieces(path, "x", below_top=False, label="a.whl") as pieces:
        assert pieces is not None
        assert len(next(pieces)) <= 1 << 20


TAR = gzip.decompress(SDIST)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_hostile_archive_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    source, packed = data.draw(st.sampled_from([(WHEEL, False), (SDIST, False), (TAR, True)]))
    changed = bytearray(source)
    for _ in range(data.draw(st.integers(1, 6))):
        # Past the first headers a tar holds but the member's bytes.
        at = data.draw(st.integers(0, min(len(changed), 2048) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    archive = gzip.compress(changed) if packed else bytes(changed)
    assert outcome(tmp_path, archive, below_top=source is not WHEEL) in OUTCOMES


OUTCOMES = (None, Code.SOURCE_ARCHIVE)


def outcome(folder: Path, archive: bytes, *, below_top: bool) -> Code | None:
    try:
        read(folder, archive, "a/x.bin", below_top=below_top)
    except PipelineError as error:
        return error.code
    return None
