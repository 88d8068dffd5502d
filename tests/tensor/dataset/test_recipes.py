"""The recipes of a dataset: what they write, and how they end where they cannot."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress
from pipeline.tensor.dataset.dataset_index import make_index
from pipeline.tensor.dataset.labels import class_numbers, file_labels, folder_labels
from pipeline.tensor.dataset.list_pictures import list_pictures, pack_archive, pack_bucket
from pipeline.tensor.dataset.make_shard import make_shard
from tests.tensor.dataset.photos import DIMS, TENSOR, job, photos, write_folder, write_tar

SIZE = 3 * 8 * 8 * 4


def shard(folder: Path, files: dict[str, bytes], **changed: Any) -> list[dict[str, Any]]:
    given = write_folder(folder / "photos", files)
    parameters = {"where": "here", "bad": "skip", "dims": list(DIMS), "tensor": TENSOR, **changed}
    inputs = {f"picture.{name}": given / name for name in files}
    make_shard(job(folder, ("tensors", "index"), inputs=inputs, parameters=parameters))
    return [json.loads(line) for line in (folder / "index").read_text().splitlines()]


def png(folder: Path, size: tuple[int, int]) -> bytes:
    folder.mkdir(exist_ok=True)
    Image.new("L", size).save(folder / "made.png")
    return (folder / "made.png").read_bytes()


def test_bad_pictures_leave_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = photos(3)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 10_000)
    bad = {
        "cut.jpg": good["red/000.jpg"][:200],
        "empty.jpg": b"",
        "text.jpg": b"this is no picture",
        "bomb.png": png(tmp_path, (500, 500)),
    }
    lines = shard(tmp_path, good | bad)
    assert [line["picture"] for line in lines] == sorted(good | bad)
    assert {line["picture"] for line in lines if "skipped" in line} == set(bad)
    offsets = [line["offset"] for line in lines if "sha256" in line]
    assert offsets == [0, SIZE, 2 * SIZE]
    assert (tmp_path / "tensors").stat().st_size == 3 * SIZE


def test_a_picture_is_known_by_its_content_not_its_suffix(tmp_path: Path) -> None:
    [line] = shard(tmp_path, {"really-a-png.jpg": png(tmp_path, (9, 9))})
    assert "sha256" in line


def test_a_bad_picture_is_fatal_where_that_is_declared(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        shard(tmp_path, {"text.jpg": b"this is no picture"}, bad="fail")
    assert caught.value.code is Code.TENSOR
    assert caught.value.where == "here: text.jpg"


def gathered(folder: Path, recipe: Any, **fields: Any) -> Any:
    outputs = ("pictures", *(f"pack.{n}" for n in range(fields["parameters"]["shards"])))
    recipe(job(folder, outputs, **fields))
    return json.loads((folder / "pictures").read_bytes())


def test_an_archive_is_packed_without_loss(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", photos(60))
    parameters = {"where": "here", "bad": "skip", "shards": 3, "label": "a"}
    found = gathered(tmp_path, pack_archive, inputs={"archive": archive}, parameters=parameters)
    assert sum(found["shards"]) == 60
    assert min(found["shards"]) >= 10
    for number, count in enumerate(found["shards"]):
        folder = tmp_path / f"shard{number}"
        parameters = {"where": "here", "bad": "fail", "dims": list(DIMS), "tensor": TENSOR}
        inputs = {"pack": tmp_path / f"pack.{number}"}
        make_shard(job(folder, ("tensors", "index"), inputs=inputs, parameters=parameters))
        assert (folder / "tensors").stat().st_size == count * SIZE


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_progress_is_told_in_pictures_or_in_bytes_of_the_archive(tmp_path: Path, kind: str) -> None:
    names = write_folder(tmp_path / "given", photos(60))
    archive = Path(
        shutil.make_archive(
            str(tmp_path / "photos"), {"tar.gz": "gztar"}.get(kind, kind), root_dir=names
        )
    )
    said: list[tuple[str, Progress | None]] = []
    parameters = {"where": "here", "bad": "fail", "shards": 1, "label": "photos"}
    outputs = ("pictures", "pack.0")
    step = job(tmp_path, outputs, inputs={"archive": archive}, parameters=parameters)
    hear = replace(step, progress=lambda text, amount=None: said.append((text, amount)))
    pack_archive(hear)
    assert [text for text, _ in said] == ["25 images", "50 images"]
    done = [amount.done for _, amount in said if amount is not None]
    size = archive.stat().st_size
    assert 0 < done[0] <= done[1] <= size
    assert {amount.total for _, amount in said if amount is not None} == {size}
    said.clear()
    given = {"where": "here", "bad": "fail", "dims": list(DIMS), "tensor": TENSOR}
    inputs = {"pack": tmp_path / "pack.0"}
    step = job(tmp_path, ("tensors", "index"), inputs=inputs, parameters=given)
    make_shard(replace(step, progress=lambda text, amount=None: said.append((text, amount))))
    assert said[-1] == ("60 of 60 images", Progress(60, 60, "pictures"))
    assert len(said) == 60


def test_an_archive_without_pictures_is_one_error(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a", {"notes.txt": b"x"})
    parameters = {"where": "here", "bad": "skip", "shards": 1, "label": "a"}
    with pytest.raises(PipelineError, match="The dataset has no images"):
        gathered(tmp_path, pack_archive, inputs={"archive": archive}, parameters=parameters)


def test_a_bucket_is_left_alone_offline(tmp_path: Path) -> None:
    parameters = {"where": "here", "bad": "skip", "shards": 1, "bucket": "s3://photos"}
    with pytest.raises(PipelineError) as caught:
        gathered(tmp_path, pack_bucket, parameters=parameters, unkeyed={"offline": True})
    assert caught.value.code is Code.SOURCE_UNREACHABLE


def test_what_cannot_be_a_picture_is_fatal_where_that_is_declared(tmp_path: Path) -> None:
    parameters = {"where": "here", "names": ["a.jpg"], "faults": {"b.jpg": "It is a pipe."}}
    settings = {"bad": "fail", "shards": 1}
    with pytest.raises(PipelineError, match="It is a pipe") as caught:
        gathered(tmp_path, list_pictures, parameters=parameters | settings)
    assert caught.value.where == "here: b.jpg"
    found = gathered(tmp_path, list_pictures, parameters=parameters | settings | {"bad": "skip"})
    assert found == {"shards": [1], "faults": {"b.jpg": "It is a pipe."}}


def indexed(folder: Path, files: dict[str, bytes], **more: Any) -> list[dict[str, Any]]:
    shard(folder, files)
    (folder / "pictures").write_text('{"shards": [1], "faults": {"link.jpg": "It is a link."}}')
    parameters = {
        "where": "here",
        "name": "tiny.photos",
        "dims": list(DIMS),
        "tensor": TENSOR,
        "files": ["0000.tensors"],
        "label_folders": False,
        "classified": False,
        **more.pop("parameters", {}),
    }
    inputs = {"pictures": folder / "pictures", "shard.0": folder / "index", **more}
    made = folder / "made"
    make_index(job(made, ("index",), inputs=inputs, parameters=parameters))
    return [json.loads(line) for line in (made / "index").read_text().splitlines()]


def test_an_index_tells_of_what_was_skipped_before_and_in_a_shard(tmp_path: Path) -> None:
    head, *lines = indexed(tmp_path, photos(2) | {"x.jpg": b""})
    assert (head["tensors"], head["skipped"]) == (2, 2)
    assert [line["picture"] for line in lines if "skipped" in line] == ["link.jpg", "x.jpg"]


def test_a_dataset_of_bad_pictures_alone_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        indexed(tmp_path, {"x.jpg": b""})
    assert "None of the dataset's images can be read." in caught.value.message
    assert "x.jpg" in caught.value.detail


def test_labels_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("filename,label\nred/000.jpg,1\ngreen/001.jpg,0\n")
    (tmp_path / "classes").write_text("grass\nrose\n")
    files = {"labels": tmp_path / "labels", "classes": tmp_path / "classes"}
    _, *lines = indexed(tmp_path, photos(2), **files)
    classes = {line["picture"]: line.get("class") for line in lines}
    assert classes == {"red/000.jpg": 1, "green/001.jpg": 0, "link.jpg": None}


def test_labels_that_are_missing_doubled_or_unknown_are_errors() -> None:
    with pytest.raises(PipelineError, match="have no label"):
        folder_labels(["a.jpg"], "here")
    with pytest.raises(PipelineError, match="have no label"):
        file_labels(["a.jpg"], ["b.jpg 1"], "here")
    with pytest.raises(PipelineError, match="two labels for one image"):
        file_labels(["a.jpg"], ["a.jpg 1", "a.jpg 2"], "here")
    with pytest.raises(PipelineError, match="matches no class"):
        class_numbers(["cat"], ["dog", "fox"], "here")
    with pytest.raises(PipelineError, match="matches no class"):
        class_numbers(["cat"], None, "here")
    assert class_numbers(["12", "3"], None, "here") == {"12": 12, "3": 3}
