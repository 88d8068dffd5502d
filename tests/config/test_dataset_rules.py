"""The rules of a dataset: one fault is one error, on the line of the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load_project import load_project
from tests.config.sample import FIXTURE, FIXTURE_PATH, edited, errors_of, line_with, write_project
from tests.config.test_rules import TWO_INPUTS

DATASET = """
[dataset.val]
folder = "photos"
bad = "skip"
shards = 4
label_folders = true
classes = "chelsea"

[dataset.val.tensor]
type = "f16"
resize = "opencv-area"
colour = "BGR"
range = "0-255"
layout = "NCHW"

[dataset.val.accuracy]
top1 = 0.5
top5 = 0.9
"""
GOOD = FIXTURE + DATASET

RENAMED = [
    (f"[dataset.val{rest}]", f"[dataset.cat{rest}]") for rest in ("", ".tensor", ".accuracy")
]
# What is edited, a part of the line that the error names, and words of its message.
FAULTS = {
    "no place": ([('folder = "photos"\n', "")], "[dataset.val]", "one location"),
    "two places": (
        [('bad = "skip"', 'bad = "skip"\nglob = "*.jpg"')],
        "[dataset.val]",
        "one location",
    ),
    "outside": ([('"photos"', '"../photos"')], "folder =", "not a plain path"),
    "no bucket": ([('folder = "photos"', 'bucket = "photos"')], "bucket =", "Invalid bucket URL"),
    "password": ([('folder = "photos"', 'bucket = "s3://a:b@photos/x"')], "bucket =", "password"),
    "no such archive": ([('folder = "photos"', 'archive = "zip"')], "archive =", "No source named"),
    "no such classes": ([('classes = "chelsea"', 'classes = "chelsae"')], "classes =", "chelsea"),
    "two labels": ([("shards = 4", 'shards = 4\nlabels = "chelsea"')], "labels =", "from a file"),
    "a case's name": ([*RENAMED], "[dataset.cat]", "a case and a dataset"),
    "bad name": (
        [(old, new.replace("cat", "'a b'")) for old, new in RENAMED],
        "[dataset.'a b']",
        "is not valid in a file name",
    ),
    "shape": (
        [('type = "f16"', 'type = "f16"\nshape = [1,3,8,8]')],
        "shape = [1,3,8,8]",
        "has no shape",
    ),
    "image": ([('type = "f16"', 'type = "f16"\nimage = "chelsea"')], "image =", "has no image"),
    "no such mean image": (
        [('type = "f16"', 'type = "f16"\nmean_image = "chelsae"')],
        "mean_image =",
        "No source named 'chelsae'",
    ),
    "layout": ([('"f16"', '"f16"\nrotate = 45')], "rotate = 45", "Invalid value"),
    "wrong axes": ([('"NCHW"', '"NHWC"')], "NHWC", "channels"),
    "bad bad": ([('"skip"', '"skp"')], "bad =", "did you mean 'skip'"),
    "share": ([("top1 = 0.5", "top1 = 50")], "top1 = 50", "Invalid value"),
    "shards": ([("shards = 4", "shards = 0")], "shards = 0", "Invalid value"),
}


def test_a_good_dataset_is_none(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path, GOOD))
    assert project.fixtures["net"].dataset["val"].shards == 4


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_one_error_on_its_line(tmp_path: Path, name: str) -> None:
    edits, part, words = FAULTS[name]
    text = FIXTURE + edited(DATASET, *edits)
    [error] = errors_of(write_project(tmp_path, text))
    assert words in error.message
    lines = text.splitlines()
    assert error.where.startswith(f"{FIXTURE_PATH}:")
    assert part in lines[int(error.where.rpartition(":")[2]) - 1]


@pytest.mark.parametrize("key", ["classes", "accuracy"])
def test_what_needs_labels_says_so(tmp_path: Path, key: str) -> None:
    text = edited(GOOD, ("label_folders = true\n", ""))
    other = {"classes": DATASET[DATASET.index("\n[dataset.val.accuracy]") :]}
    text = edited(text, (other.get(key, 'classes = "chelsea"\n'), ""))
    [error] = errors_of(write_project(tmp_path, text))
    assert f"has {key}, but its images have no labels" in error.message


def test_a_dataset_is_for_a_model_with_one_input(tmp_path: Path) -> None:
    text = edited(GOOD, *TWO_INPUTS).replace("DATA", "other")
    [error] = errors_of(write_project(tmp_path, text))
    assert "needs a model with one input" in error.message
    assert error.where == f"{FIXTURE_PATH}:{line_with(text, '[dataset.val]')}"
