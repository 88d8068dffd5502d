"""A dataset through doit: its shards are steps like others, and each picture has its own line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.tensor_tables import Tensor
from pipeline.tensor.image import image_tensor
from tests.tensor.dataset.photos import COLOURS, TABLE, jpeg, photos, write_folder, write_tar
from tests.tiny import ROOT, Project

SOURCES = """
[source.classes]
urls = ["file:classes.txt"]
license = "Apache-2.0"
"""
ACCURACY = """
[dataset.photos.accuracy]
top1 = 0.9
top5 = 1
"""
FOLDER = "artifacts/tiny/datasets/photos"


@pytest.fixture
def pictured(project: Project) -> Project:
    """A built project, to which a dataset of 60 pictures has been added."""
    write_folder(project.root / "photos", photos(60))
    (project.root / "classes.txt").write_text("red\ngreen\nblue\n")
    project.edit("[model]", SOURCES + "\n[model]")
    project.config.write_text(project.config.read_text() + TABLE)
    return project


def index(project: Project) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    text = (project.root / FOLDER / "index.ndjson").read_text()
    head, *lines = (json.loads(line) for line in text.splitlines())
    return head, lines


def tensor_bytes(project: Project, line: dict[str, Any]) -> bytes:
    data = (project.root / FOLDER / f"{line['shard']:04}.tensors").read_bytes()
    return data[line["offset"] : line["offset"] + 3 * 8 * 8 * 4]


def test_every_picture_has_its_tensor_digest_label_and_class(pictured: Project) -> None:
    run = pictured.doit()
    assert run.returncode == 0, run.output
    assert {"shard:tiny.photos.0000", "shard:tiny.photos.0001"} <= run.steps("built")
    head, lines = index(pictured)
    assert (head["tensors"], head["skipped"], head["dims"]) == (60, 0, [1, 3, 8, 8])
    assert [line["picture"] for line in lines] == sorted(photos(60))
    table = Tensor(type="f32", resize="opencv-linear", colour="RGB", range="0-255", layout="NCHW")
    for line in lines:
        picture = pictured.root / "photos" / line["picture"]
        data = tensor_bytes(pictured, line)
        assert data == image_tensor(picture, table, (1, 3, 8, 8), "").tobytes()
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["label"] == line["picture"].partition("/")[0]
        assert line["class"] == list(COLOURS).index(line["label"])
    assert "nothing to do" in pictured.doit().output


def test_shards_one_after_the_other_give_what_two_workers_give(pictured: Project) -> None:
    found = []
    for how in (("-n", "2"), ("--threads", "-n", "1")):
        shutil.rmtree(pictured.root / FOLDER, ignore_errors=True)
        run = pictured.doit("run", *how, "dataset:tiny.photos")
        assert run.returncode == 0, run.output
        assert {"shard:tiny.photos.0000", "shard:tiny.photos.0001"} <= run.steps("built")
        assert ("warning: --threads has no effect" in run.output) == ("--threads" in how)
        files = sorted((pictured.root / FOLDER).iterdir())
        found.append([(path.name, path.read_bytes()) for path in files])
    assert found[0] == found[1]


def test_a_new_picture_costs_its_own_shard_alone(pictured: Project) -> None:
    pictured.doit("dataset:tiny.photos")
    assert "nothing to do" in pictured.doit("dataset:tiny.photos").output
    (pictured.root / "photos/red/new.jpg").write_bytes(jpeg(COLOURS["red"], 99))
    run = pictured.doit("dataset:tiny.photos")
    shards = {name for name in run.steps("built") if name.startswith("shard:")}
    _, lines = index(pictured)
    [new] = [line for line in lines if line["picture"] == "red/new.jpg"]
    assert shards == {f"shard:tiny.photos.{new['shard']:04}"}
    assert len(lines) == 61


def test_a_picture_that_goes_or_changes_is_noticed(pictured: Project) -> None:
    pictured.doit("dataset:tiny.photos")
    (pictured.root / "photos/red/000.jpg").unlink()
    (pictured.root / "photos/green/001.jpg").write_bytes(jpeg((0, 0, 0)))
    before = {line["picture"]: line["sha256"] for line in index(pictured)[1]}
    assert pictured.doit("dataset:tiny.photos").returncode == 0
    after = {line["picture"]: line["sha256"] for line in index(pictured)[1]}
    assert before.keys() - after.keys() == {"red/000.jpg"}
    assert {name for name in after if after[name] != before[name]} == {"green/001.jpg"}


def test_a_damaged_shard_is_made_again(pictured: Project) -> None:
    pictured.doit("dataset:tiny.photos")
    shard = pictured.root / FOLDER / "0001.tensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + b"\0")
    run = pictured.doit("dataset:tiny.photos")
    # The index vouches for the shards, so it goes and comes with them.
    assert run.steps("built") == {"shard:tiny.photos.0001"}
    assert run.steps("restored") == {"dataset:tiny.photos"}
    assert shard.read_bytes() == whole


def test_one_bad_picture_is_reported_and_skipped_or_fatal_as_declared(pictured: Project) -> None:
    bad = pictured.root / "photos/blue/002.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    assert pictured.doit("dataset:tiny.photos").returncode == 0
    head, lines = index(pictured)
    assert (head["tensors"], head["skipped"]) == (59, 1)
    [line] = [line for line in lines if line["picture"] == "blue/002.jpg"]
    assert line["skipped"] == "The image is truncated or damaged."
    assert "offset" not in line
    pictured.edit('bad = "skip"', 'bad = "fail"')
    run = pictured.doit("dataset:tiny.photos")
    assert run.returncode == 1
    assert run.output.count("\nerror[") == 1
    assert "tiny: dataset photos: blue/002.jpg" in run.output
    assert "configs/fixtures/tiny.toml:" in run.output
    assert not (pictured.root / FOLDER / "index.ndjson").exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_pictures_is_one_error_and_other_steps_go_on(
    pictured: Project, there: bool
) -> None:
    shutil.rmtree(pictured.root / "photos")
    if there:
        write_folder(pictured.root / "photos", {"notes.txt": b"no picture", ".hidden.jpg": b""})
    run = pictured.doit()
    assert run.returncode == 1
    assert run.output.count("\nerror[tensor]: The dataset has no images.") == 1
    assert "tiny: dataset photos: photos" in run.output
    assert "Traceback" not in run.output
    assert pictured.doit("manifest:tiny").returncode == 0


def test_too_many_shards_are_told_with_the_most_that_fit(pictured: Project) -> None:
    pictured.edit("shards = 2", "shards = 30")
    run = pictured.doit("dataset:tiny.photos")
    assert "The dataset has too few images for its number of shards." in run.output
    most = run.output.partition("shards = ")[2].partition(" ")[0]
    pictured.edit("shards = 30", f"shards = {most}")
    assert pictured.doit("dataset:tiny.photos").returncode == 0


def test_an_archive_gives_the_tensors_that_the_folder_gives(pictured: Project) -> None:
    pictured.doit("dataset:tiny.photos")
    folder = index(pictured)
    tensors = {line["picture"]: tensor_bytes(pictured, line) for line in folder[1]}
    write_tar(pictured.root / "photos.tar.gz", photos(60))
    archive = SOURCES.replace("classes", "archive").replace("archive.txt", "photos.tar.gz")
    pictured.edit("[model]", archive + "\n[model]")
    pictured.edit('folder = "photos"', 'archive = "archive"')
    run = pictured.doit("dataset:tiny.photos")
    assert run.returncode == 0, run.output
    assert "pictures:tiny.photos" in run.steps("built")
    assert index(pictured) == folder
    assert {line["picture"]: tensor_bytes(pictured, line) for line in index(pictured)[1]} == tensors


def test_why_names_the_picture_that_changed(pictured: Project) -> None:
    pictured.doit("dataset:tiny.photos")
    changed = pictured.root / "photos/red/000.jpg"
    changed.write_bytes(jpeg((1, 2, 3)))
    number = next(line["shard"] for line in index(pictured)[1] if line["picture"] == "red/000.jpg")
    why = pictured.doit("why", f"shard:tiny.photos.{number:04}")
    assert "picture.red/000.jpg" in why.output


def test_the_folder_may_lie_outside_the_project(pictured: Project, tmp_path: Path) -> None:
    shutil.move(pictured.root / "photos", tmp_path / "elsewhere")
    pictured.edit('folder = "photos"', f'glob = "{tmp_path.as_posix()}/elsewhere/**/*.jpg"')
    assert pictured.doit("dataset:tiny.photos").returncode == 0
    assert index(pictured)[0]["tensors"] == 60


@pytest.fixture
def judged(pictured: Project) -> Project:
    """The same, with one shard and a declared accuracy."""
    pictured.edit("shards = 2", "shards = 1")
    pictured.config.write_text(pictured.config.read_text() + ACCURACY)
    return pictured


def report(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.root / FOLDER / "accuracy.json").read_bytes())
    return found


def test_the_accuracy_is_counted_natively_and_in_the_guest(judged: Project) -> None:
    # A red picture that its folder calls blue, and one that cannot be read.
    (judged.root / "photos/blue/wrong.jpg").write_bytes(jpeg(COLOURS["red"], 7))
    (judged.root / "photos/blue/bad.jpg").write_bytes(b"")
    run = judged.doit()
    assert run.returncode == 0, run.output
    found = report(judged)
    assert (found["pictures"], found["skipped"]) == (61, 1)
    shares = {"top1": 60 / 61, "top5": 1.0}
    assert found["accuracy"] == {"native": shares, "guest": shares}
    assert found["wrong"] == ["blue/wrong.jpg: 2, not 0"]
    assert "top-1 98.4%, top-5 100.0% of 61" in run.output
    assert "nothing to do" in judged.doit().output


def test_swapped_colours_are_an_error_that_names_pictures(judged: Project) -> None:
    assert judged.doit("accuracy:tiny.photos").returncode == 0
    config = judged.config.read_text()
    at = config.index("[dataset.photos.tensor]")
    judged.config.write_text(config[:at] + config[at:].replace('"RGB"', '"BGR"', 1))
    run = judged.doit("accuracy:tiny.photos")
    assert run.returncode == 1
    assert "Fewer pictures were classified right than the config declares: top1." in run.output
    assert "expected: at least 90.00%" in run.output
    assert "found:    33.33%" in run.output
    assert "blue/002.jpg: 2, not 0" in run.output
    assert not (judged.root / FOLDER / "accuracy.json").exists()


def test_a_guest_that_writes_something_else_is_caught(judged: Project) -> None:
    guest = judged.root / "guests/classify/classify.c"
    old = "good = good && write_file("
    judged.edit(old, "if (given->name[1] == '5') data[0] ^= 1;\n    " + old, guest)
    run = judged.doit("accuracy:tiny.photos")
    assert run.returncode == 1
    assert "differs from the native inference" in run.output
    assert "tiny: dataset photos: blue/017.jpg" in run.output


def test_a_label_that_is_no_class_of_the_model_is_an_error(judged: Project) -> None:
    (judged.root / "classes.txt").write_text("red\ngreen\nother\nblue\n")
    run = judged.doit("accuracy:tiny.photos")
    assert run.returncode == 1
    assert "A picture is of a class that the model does not have." in run.output
    assert "expected: 0 to 2" in run.output


def test_a_run_that_was_killed_goes_on_with_the_shards_that_it_had_not_finished(
    pictured: Project,
) -> None:
    write_folder(pictured.root / "photos", photos(400))
    pictured.edit("shards = 2", "shards = 16")
    folder = pictured.root / FOLDER
    process = subprocess.Popen(
        [sys.executable, "-m", "doit", "run", "-n", "1", "dataset:tiny.photos"],
        cwd=pictured.root,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while len(list(folder.glob("*.tensors"))) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = {path: path.stat().st_ino for path in folder.glob("*.tensors")}
    assert len(before) < 16
    assert pictured.doit("dataset:tiny.photos").returncode == 0
    again = [path for path, inode in before.items() if path.stat().st_ino != inode]
    assert len(again) <= 1
    assert index(pictured)[0]["tensors"] == 400
