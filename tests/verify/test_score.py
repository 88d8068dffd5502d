"""Scores and accuracy, where no guest has to run for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.model.convert.request import Interface, Port
from pipeline.verify.accuracy import measure_accuracy
from pipeline.verify.score import score
from tests.tensor.dataset.photos import job

PORT = Port(name="x", names=("x",), shape=(1, 3, 8, 8), type="f32")
OUTPUT = Port(name="y", names=("y",), shape=(1, 3), type="f32")
GUEST = {"program": "classify", "seconds": 1.0, "memory": "64 MiB"}
HEAD = {
    "version": 1,
    "dataset": "tiny.photos",
    "dims": [1, 3, 8, 8],
    "type": "f32",
    "colour": "RGB",
    "layout": "NCHW",
    "tensors": 4,
    "skipped": 1,
    "shards": ["0000.tensors", "0001.tensors"],
}


def scored(folder: Path, output: str | None) -> str:
    (folder / "interface").write_bytes(
        msgspec.json.encode(Interface(inputs=(PORT,), outputs=(OUTPUT,)))
    )
    (folder / "index").write_text('{"picture": "a.jpg", "skipped": "It is damaged."}\n')
    inputs = {name: folder / name for name in ("interface", "index", "tensors", "xml", "guest")}
    parameters = {"where": "here", "guest": GUEST, "output": output}
    score(job(folder, ("scores",), inputs=inputs, parameters=parameters))
    return (folder / "scores").read_text()


def test_an_output_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        scored(tmp_path, "prob")
    assert caught.value.code is Code.VERIFY
    assert "The outputs are y." in caught.value.hint


def test_a_shard_of_bad_pictures_alone_has_no_scores(tmp_path: Path) -> None:
    assert scored(tmp_path, "y") == ""


def judged(folder: Path, **accuracy: Any) -> Any:
    """Judge four pictures of class 7: first, third and sixth of the five, and first natively."""
    pictures = [{"picture": f"{n}.jpg", "sha256": "…", "class": 7} for n in range(4)]
    lines = [HEAD, *pictures, {"picture": "bad.jpg", "skipped": "It is damaged."}]
    guest = [[7, 1, 2, 3, 4], [1, 2, 7, 3, 4], [1, 2, 3, 4, 5], [1, 7, 2, 3, 4]]
    native = [*guest[:3], [7, 1, 2, 3, 4]]
    scores = [
        {"picture": f"{n}.jpg", "classes": 10, "native": native[n], "guest": guest[n]}
        for n in range(4)
    ]
    (folder / "index").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for number in (0, 1):
        some = scores[number * 2 : number * 2 + 2]
        (folder / f"s{number}").write_text("".join(json.dumps(line) + "\n" for line in some))
    inputs = {
        "index": folder / "index",
        "scores.0": folder / "s0",
        "scores.1": folder / "s1",
    }
    parameters = {"where": "here", "name": "tiny.photos", "accuracy": accuracy}
    measure_accuracy(job(folder, ("report",), inputs=inputs, parameters=parameters))
    return json.loads((folder / "report").read_text())


def test_shares_are_counted_over_all_shards_for_each_side(tmp_path: Path) -> None:
    report = judged(tmp_path, top1=0.25, top5=0.75)
    assert report["accuracy"] == {
        "native": {"top1": 0.5, "top5": 0.75},
        "guest": {"top1": 0.25, "top5": 0.75},
    }
    assert (report["pictures"], report["skipped"]) == (4, 1)
    assert report["required"] == {"top1": 0.25, "top5": 0.75}


@pytest.mark.parametrize(
    ("accuracy", "found"), [({"top1": 0.26}, "25.00%, guest"), ({"top5": 0.8}, "75.00%, native")]
)
def test_fewer_than_declared_on_either_side_is_an_error(
    tmp_path: Path, accuracy: dict[str, float], found: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        judged(tmp_path, **accuracy)
    assert caught.value.found == found
    assert "1.jpg: 7, not 1" in caught.value.detail
