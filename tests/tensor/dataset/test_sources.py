"""Where pictures come from: folders, patterns, archives that may be hostile, and buckets."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.tensor.dataset.archive_pictures import ArchivePictures
from pipeline.tensor.dataset.bucket_pictures import BucketPictures
from pipeline.tensor.dataset.folder_pictures import list_folder, list_glob
from pipeline.tensor.dataset.picture_pack import PackedPictures, append
from pipeline.tensor.dataset.pictures import LEAST, GivenPictures, Picture, check_shares, shard_of
from tests.cache.servers import s3
from tests.tensor.dataset.photos import contents, photos, write_folder, write_tar, write_zip

FILES = photos(12)


def from_archive(archive: Path, scratch: Path) -> dict[str, bytes]:
    return contents(ArchivePictures(archive, "photos"), scratch)


def refused(archive: Path, scratch: Path) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        from_archive(archive, scratch)
    assert caught.value.code is Code.SOURCE_ARCHIVE
    assert caught.value.where == "photos"
    return caught.value


def test_a_folder_gives_its_pictures_and_nothing_else(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", FILES)
    others = {"labels.txt": b"", ".x.jpg": b"", ".git/a.jpg": b"", "red/README": b""}
    write_folder(folder, others)
    listing = list_folder(folder.parent, folder.name)
    assert contents(GivenPictures(listing.files), tmp_path / "scratch") == FILES
    assert listing.faults == {}
    assert set(listing.folders) == {folder, *(folder / name for name in ("red", "green", "blue"))}


def test_a_link_to_a_file_is_followed_one_to_a_folder_is_not(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", {"a.jpg": b"a", "deep/b.jpg": b"b"})
    (folder / "deep/loop").symlink_to(folder, target_is_directory=True)
    (folder / "c.jpg").symlink_to(folder / "a.jpg")
    (folder / "d.jpg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "e.jpg")
    listing = list_folder(folder.parent, folder.name)
    assert set(listing.files) == {"a.jpg", "c.jpg", "deep/b.jpg"}
    assert set(listing.faults) == {"d.jpg", "e.jpg"}


def test_a_link_out_of_the_project_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = write_folder(tmp_path / "project" / "photos", {"a.jpg": b"a"})
    (folder / "b.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "project" / "all").symlink_to(tmp_path)
    listing = list_folder(tmp_path / "project", "photos")
    assert set(listing.files) == {"a.jpg"}
    assert listing.faults == {"b.jpg": "It is a link that leads out of project."}
    for listing in (
        list_folder(tmp_path / "project", "all"),
        list_glob(tmp_path / "project", "all/*"),
    ):
        assert listing.files == {}
        assert listing.faults == {"all": "The folder is a link that leads out of project."}


def test_a_name_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "photos", {"a.jpg": b"a", "b\n.jpg": b"b"})
    (tmp_path / "photos" / os.fsdecode(b"c\xff.jpg")).write_bytes(b"c")
    listing = list_folder(folder.parent, folder.name)
    assert set(listing.files) == {"a.jpg"}
    assert len(listing.faults) == 2
    assert all(name.isprintable() for name in listing.faults)


def test_patterns(tmp_path: Path) -> None:
    names = ("a.jpg", "b.png", "x/a.jpg", "x/y/a.jpg", "x/y/b.txt")
    write_folder(tmp_path, dict.fromkeys(names, b""))

    def found(pattern: str) -> set[str]:
        return set(list_glob(tmp_path, pattern).files)

    assert found("*.jpg") == {"a.jpg"}
    assert found("**/*.jpg") == {"a.jpg", "x/a.jpg", "x/y/a.jpg"}
    assert found("x/**/a.jpg") == {"a.jpg", "y/a.jpg"}
    assert found("x/*/*") == {"y/a.jpg", "y/b.txt"}
    assert found("[ab].???") == {"a.jpg", "b.png"}
    assert found("a.jpg") == {"a.jpg"}
    assert found("nowhere/*.jpg") == set()


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_gives_its_pictures(tmp_path: Path, mode: str) -> None:
    archive = write_tar(tmp_path / "a", FILES | {"notes.txt": b"x", "._a.jpg": b""}, mode)
    assert from_archive(archive, tmp_path / "scratch") == FILES


def test_a_zip_gives_its_pictures(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a", FILES | {"__MACOSX/._a.jpg": b"", "notes.txt": b"x"})
    assert from_archive(archive, tmp_path / "scratch") == FILES


def test_links_and_devices_of_a_tar_are_bad_pictures(tmp_path: Path) -> None:
    def add(archive: tarfile.TarFile) -> None:
        for name, kind in (("l.jpg", tarfile.SYMTYPE), ("h.jpg", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("d.jpg")
        info.type = tarfile.CHRTYPE
        archive.addfile(info)

    found = from_archive(write_tar(tmp_path / "a", FILES, more=add), tmp_path / "scratch")
    faults = {name: text for name, text in found.items() if name not in FILES}
    assert faults == dict.fromkeys(
        ("l.jpg", "h.jpg", "d.jpg"), b"The entry is a link, encrypted or unsupported."
    )


def test_a_link_in_a_zip_is_a_bad_picture(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a", FILES)
    with zipfile.ZipFile(archive, "a") as opened:
        info = zipfile.ZipInfo("l.jpg")
        info.external_attr = 0o120777 << 16
        opened.writestr(info, "/etc/passwd")
    found = from_archive(archive, tmp_path / "scratch")
    assert found["l.jpg"] == b"The entry is a link, encrypted or unsupported."


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "x/../../a.jpg", "x\n.jpg"])
@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written_there(
    tmp_path: Path, name: str, write: object
) -> None:
    archive = write(tmp_path / "a", {name: b"x"})  # type: ignore[operator] # either of the two
    scratch = tmp_path / "deep" / "scratch"
    scratch.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    assert "unsafe name" in refused(archive, scratch).message
    assert sorted(tmp_path.rglob("*")) == before


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    def again(archive: tarfile.TarFile) -> None:
        archive.addfile(tarfile.TarInfo("red/000.jpg"), io.BytesIO())

    archive = write_tar(tmp_path / "a", FILES, more=again)
    assert "two images with the same name" in refused(archive, tmp_path / "scratch").message


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_bomb_is_stopped_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object
) -> None:
    monkeypatch.setattr("pipeline.tensor.dataset.archive_pictures._LEAST_BYTES", 1 << 20)
    bomb = {f"{number}.jpg": bytes(8 << 20) for number in range(4)}
    archive = write(tmp_path / "a", bomb)  # type: ignore[operator] # either of the two
    limit = (1 << 20) + 100 * archive.stat().st_size
    assert limit < 32 << 20
    assert "unpacks to more than" in refused(archive, tmp_path / "scratch").message


def test_a_file_that_is_far_too_large_is_a_bad_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.tensor.dataset.archive_pictures.LARGEST_FILE", 1000)
    archive = write_tar(tmp_path / "a", {"a.jpg": bytes(1001), "b.jpg": bytes(1000)})
    found = from_archive(archive, tmp_path / "scratch")
    assert found == {"a.jpg": b"The file is larger than 1000 bytes.", "b.jpg": bytes(1000)}


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_damaged_archive_is_one_error(tmp_path: Path, write: object) -> None:
    archive = write(tmp_path / "a", FILES)  # type: ignore[operator] # either of the two
    data = archive.read_bytes()
    for cut in (0, 1, 100, len(data) // 2, len(data) - 30):
        archive.write_bytes(data[:cut])
        refused(archive, tmp_path / "scratch")


def test_a_pack_holds_what_was_put_into_it(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.touch()
    names = {**FILES, "e.jpg": b"", "ü" * 150 + ".jpg": b"long", "x.jpg": bytes(512)}
    folder = write_folder(
        tmp_path / "photos", {str(n): data for n, data in enumerate(names.values())}
    )
    assert contents(PackedPictures(pack), tmp_path / "scratch") == {}
    for number, name in enumerate(names):
        append(pack, Picture(name, folder / str(number)))
    assert contents(PackedPictures(pack), tmp_path / "scratch") == names


def test_each_shard_has_enough_or_the_most_that_would_is_told() -> None:
    names = [f"{number}.jpg" for number in range(300)]
    with pytest.raises(PipelineError) as caught:
        check_shares(names, 29, "here")
    most = int(caught.value.hint.split()[2])
    check_shares(names, most, "here")
    counts = [0] * most
    for name in names:
        counts[shard_of(name, most)] += 1
    assert min(counts) >= LEAST
    check_shares(names[:1], 1, "here")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket on loopback, with the pictures in a folder."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    with s3() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        for name, data in {**FILES, "notes.txt": b"x", "x\u200b.jpg": b"x"}.items():
            client.put_object(Bucket="photos", Key=f"val/{name}", Body=data)
        client.put_object(Bucket="photos", Key="train/a.jpg", Body=b"other")
        yield "s3://photos/val"


def test_a_bucket_gives_its_pictures(bucket: str, tmp_path: Path) -> None:
    found = contents(BucketPictures(bucket), tmp_path / "scratch")
    assert found == {**FILES, "x\\u200b.jpg": b"The name is not allowed in an index."}


def test_a_bucket_that_is_not_there_is_one_error(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        contents(BucketPictures("s3://nowhere/val"), tmp_path / "scratch")
    assert caught.value.code is Code.SOURCE_UNREACHABLE
    assert caught.value.where == "s3://nowhere/val"


def test_an_address_that_no_library_knows_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        contents(BucketPictures("nonsense://photos"), tmp_path / "scratch")
    assert caught.value.code is Code.CONFIG
