"""What is drawn of tensors and outputs: what their bytes hold, whatever the config says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from PIL import Image

from pipeline.execution.action import Job
from pipeline.model.convert.request import Interface, Port
from pipeline.report.html.draw import draw
from pipeline.report.html.drawings import CaseDrawings, Drawings, Thumbnail

PHOTO = {
    "type": "f32",
    "image": "photo",
    "colour": "BGR",
    "layout": "NCHW",
    "resize": "opencv-linear",
    "range": "0-255",
    "dims": [1, 3, 48, 64],
}


def drawn(folder: Path, table: dict[str, Any], files: dict[str, Path], *outputs: Port) -> Drawings:
    interface = Interface(inputs=(), outputs=outputs)
    (folder / "interface.json").write_bytes(msgspec.json.encode(interface))
    draw(
        Job(
            inputs={"interface": folder / "interface.json", **files},
            outputs={"drawn": folder / "drawn"},
            parameters={"cases": {"case": {"x": table}}},
            scratch=folder,
        )
    )
    return msgspec.msgpack.decode((folder / "drawn").read_bytes(), type=Drawings)


def case(*arguments: Any) -> CaseDrawings:
    return drawn(*arguments).cases["case"]


def pixels(picture: Thumbnail | None) -> Any:
    assert picture is not None
    with Image.open(io.BytesIO(picture.large)) as image:
        assert image.size == (picture.width, picture.height)
        return numpy.asarray(image.convert("RGB")).astype(int)


def photo() -> Any:
    """A picture, height × width × RGB, red to the right and green downwards."""
    made = numpy.zeros((48, 64, 3), numpy.uint8)
    made[:, :, 0] = numpy.linspace(0, 250, 64)
    made[:, :, 1] = numpy.linspace(0, 250, 48)[:, numpy.newaxis]
    return made


def write(path: Path, array: Any, kind: str = "<f4") -> Path:
    numpy.ascontiguousarray(array).astype(kind).tofile(path)
    return path


def test_a_tensor_is_shown_as_the_picture_that_its_bytes_are(tmp_path: Path) -> None:
    tensor = write(tmp_path / "t", photo()[:, :, ::-1].transpose(2, 0, 1))
    (given,) = case(tmp_path, PHOTO, {"tensor.case.x": tensor}).inputs
    assert numpy.abs(pixels(given.picture) - photo()).mean() < 6
    assert given.note == ""


def test_bytes_in_another_order_than_declared_are_shown_and_said(tmp_path: Path) -> None:
    tensor = write(tmp_path / "t", photo()[:, :, ::-1])
    (given,) = case(tmp_path, PHOTO, {"tensor.case.x": tensor}).inputs
    assert given.note == "Declared NCHW, but the bytes look like NHWC."
    assert numpy.abs(pixels(given.picture) - photo()).mean() < 6


def test_mean_and_scale_are_undone(tmp_path: Path) -> None:
    table = {**PHOTO, "range": "0-1", "mean": [0.5, 0.4, 0.3], "scale": [0.2, 0.3, 0.4]}
    bgr = photo()[:, :, ::-1] / 255
    values = (bgr - numpy.array([0.5, 0.4, 0.3])) / numpy.array([0.2, 0.3, 0.4])
    tensor = write(tmp_path / "t", values.transpose(2, 0, 1))
    (given,) = case(tmp_path, table, {"tensor.case.x": tensor}).inputs
    assert numpy.abs(pixels(given.picture) - photo()).mean() < 6


def test_of_the_source_what_is_cropped_away_is_pale(tmp_path: Path) -> None:
    Image.new("RGB", (100, 80), (40, 40, 40)).save(tmp_path / "photo.png")
    table = {**PHOTO, "crop": {"rows": [0, 20]}}
    (given,) = case(tmp_path, table, {"source.case.x": tmp_path / "photo.png"}).inputs
    shown = pixels(given.source)
    assert shown[10, 50].max() < 80
    assert shown[60, 50].min() > 150
    assert given.note == "The tensor is missing."


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([16000], "16000"),
        ([0] * 256, "all 256 values are 0"),
        (range(100), "100 values, 0 to 99"),
    ],
)
def test_what_is_no_picture_is_told_in_numbers(tmp_path: Path, values: Any, note: str) -> None:
    array = numpy.array(list(values))
    tensor = write(tmp_path / "t", array, "<i8")
    table = {"type": "i64", "constant": 0, "dims": [len(array)]}
    (given,) = case(tmp_path, table, {"tensor.case.x": tensor}).inputs
    assert given.note == note
    assert (given.plot is not None) == (len(set(values)) > 12)


def test_a_sound_is_shown_by_its_least_and_greatest_values(tmp_path: Path) -> None:
    wave = numpy.sin(numpy.arange(16000) / 3) * numpy.linspace(0, 1, 16000)
    tensor = write(tmp_path / "t", wave)
    table = {"type": "f32", "noise": {"seed": 1}, "dims": [1, 16000, 1]}
    (given,) = case(tmp_path, table, {"tensor.case.x": tensor}).inputs
    assert given.plot is not None
    heights = [high - low for low, high in given.plot.columns]
    assert len(heights) == 160
    assert heights[0] < 0.05 < 0.95 < heights[-1]


def test_notes_are_a_roll_with_time_to_the_right_and_high_keys_on_top(tmp_path: Path) -> None:
    keys = numpy.zeros((172, 88))
    keys[100:, 80] = 1
    output = write(tmp_path / "o", keys)
    port = Port(name="note", names=("note",), shape=(1, 172, 88), type="f32")
    table = {"type": "f32", "constant": 0, "dims": [1]}
    (found,) = case(tmp_path, table, {"output.case.note": output}, port).outputs
    shown = pixels(found.picture).sum(axis=2)
    assert shown.shape == (88, 172)
    assert shown[87 - 80, 150] > 500
    assert shown[87 - 80, 50] < 150
    assert shown[80, 150] < 150


def test_a_mask_lies_over_the_input(tmp_path: Path) -> None:
    tensor = write(tmp_path / "t", photo()[:, :, ::-1].transpose(2, 0, 1))
    mask = numpy.zeros((48, 64))
    mask[:, 32:] = 1
    output = write(tmp_path / "o", mask)
    port = Port(name="text", names=("text",), shape=(1, 1, 48, 64), type="f32")
    files = {"tensor.case.x": tensor, "output.case.text": output}
    (found,) = case(tmp_path, PHOTO, files, port).outputs
    shown = pixels(found.picture).sum(axis=2)
    assert shown[:, 40:].mean() > 3 * shown[:, :24].mean()


def outputs(folder: Path, labels: list[str], /, **arrays: Any) -> dict[str, Any]:
    """Return the drawings of outputs, over the photo, by their names."""
    files = {"tensor.case.x": write(folder / "t", photo()[:, :, ::-1].transpose(2, 0, 1))}
    if labels:
        (folder / "labels").write_text("\n".join(labels))
        files["labels.case"] = folder / "labels"
    ports = []
    for name, array in arrays.items():
        kind = {"f": "f32", "i": "i64", "u": "u8"}[array.dtype.kind]
        files[f"output.case.{name}"] = write(
            folder / name, array, {"f32": "<f4", "i64": "<i8", "u8": "u1"}[kind]
        )
        ports.append(Port(name=name, names=(name,), shape=array.shape, type=kind))
    return {each.name: each for each in case(folder, PHOTO, files, *ports).outputs}


def edge(picture: Any, box: tuple[float, float, float, float]) -> float:
    """Return how much a picture differs from the photo along the left edge of a box."""
    shown = pixels(picture)
    scaled = numpy.asarray(Image.fromarray(photo()).resize((shown.shape[1], shown.shape[0])))
    column = round(box[0] * shown.shape[1])
    rows = slice(round((box[1] + 0.1) * shown.shape[0]), round((box[3] - 0.05) * shown.shape[0]))
    return float(numpy.abs(shown - scaled)[rows, column - 1 : column + 3].max(axis=1).mean())


BOX = (0.25, 0.25, 0.75, 0.75)


def ssd() -> dict[str, Any]:
    rows = numpy.full((1, 1, 4, 7), -1.0, numpy.float32)
    rows[0, 0, 0] = [0, 2, 0.9, *BOX]
    rows[0, 0, 1] = [0, 1, 0.1, 0, 0, 0.1, 0.1]
    return {"boxes": rows}


def tensorflow() -> dict[str, Any]:
    left, top, right, bottom = BOX
    return {
        "boxes": numpy.array([[[top, left, bottom, right], [0, 0, 0.1, 0.1]]], numpy.float32),
        "classes": numpy.array([[2, 1]], numpy.float32),
        "scores": numpy.array([[0.9, 0.1]], numpy.float32),
        "count": numpy.array([2], numpy.float32),
    }


def torchvision() -> dict[str, Any]:
    corners = numpy.array([BOX, (0, 0, 0.1, 0.1)], numpy.float32) * [64, 48, 64, 48]
    return {
        "boxes": corners.astype(numpy.float32),
        "labels": numpy.array([2, 1]),
        "scores": numpy.array([0.9, 0.1], numpy.float32),
    }


def yolo(*, objects: bool) -> dict[str, Any]:
    rows = numpy.zeros((400, 4 + objects + 3), numpy.float32)
    # Two cells find the same object, which is drawn once.
    for row, score in ((7, 0.9), (8, 0.8)):
        rows[row, :4] = [32, 24, 32, 24]
        rows[row, -1] = score
        if objects:
            rows[row, 4] = 1
    return {"boxes": rows[numpy.newaxis] if objects else rows.T[numpy.newaxis]}


DETECTORS = {
    "ssd": ssd(),
    "tensorflow": tensorflow(),
    "torchvision": torchvision(),
    "yolo": yolo(objects=False),
    "yolo with objects": yolo(objects=True),
}


@pytest.mark.parametrize("kind", DETECTORS)
def test_the_boxes_of_a_detector_lie_over_the_picture(tmp_path: Path, kind: str) -> None:
    found = outputs(tmp_path, ["none", "dog", "cat"], **DETECTORS[kind])["boxes"]
    assert found.note == "1 box with a score of at least 0.3"
    assert edge(found.picture, BOX) > 60
    elsewhere = (0.5, 0.3, 0.7, 0.7)
    assert edge(found.picture, elsewhere) < 40


def test_a_detector_without_a_good_box_says_so(tmp_path: Path) -> None:
    rows = ssd()["boxes"].copy()
    rows[0, 0, 0, 2] = 0.2
    found = outputs(tmp_path, [], boxes=rows)["boxes"]
    assert found.picture is None
    assert found.note == "no box has a score of at least 0.3"


def segments() -> Any:
    """Scores of 21 classes, height × width × classes: class 3 to the right, else class 0."""
    scores = numpy.zeros((48, 64, 21), numpy.float32)
    scores[:, :40, 0] = 1
    scores[:, 40:, 3] = 1
    return scores


@pytest.mark.parametrize(
    "values",
    [
        segments()[numpy.newaxis],
        segments().transpose(2, 0, 1)[numpy.newaxis],
        segments().argmax(axis=2)[numpy.newaxis],
        segments().argmax(axis=2)[numpy.newaxis].astype(numpy.uint8),
    ],
    ids=["NHWC", "NCHW", "classes as i64", "classes as u8"],
)
def test_a_segmenter_gives_a_map_of_its_classes(tmp_path: Path, values: Any) -> None:
    found = outputs(tmp_path, ["background", "a", "b", "cat"], segments=values)["segments"]
    assert found.note.endswith("background 62%, cat 38%")
    shown = pixels(found.picture)
    # One colour per class; what lies behind shows through it.
    saturation = shown.max(axis=2) - shown.min(axis=2)
    assert saturation[:, 44:60].min() > 60
    assert saturation[:, 4:36].max() < 40


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (numpy.array([[2, 0, 1]]), "cat none dog"),
        (numpy.array([[5, 900]]), "5 900"),
        (numpy.frombuffer(b"Hello, you\0\0", numpy.uint8), "“Hello, you”"),
        (numpy.arange(100), " ".join(["none", "dog", "cat", *map(str, range(3, 64))])),
    ],
)
def test_text_and_tokens_are_text(tmp_path: Path, values: Any, note: str) -> None:
    found = outputs(tmp_path, ["none", "dog", "cat"], words=values)["words"]
    assert found.note.startswith(note)


def test_several_outputs_each_say_what_is_largest_and_where(tmp_path: Path) -> None:
    grid = numpy.zeros((1, 5, 3, 2), numpy.float32)
    grid[0, 4, 1, 0] = 44.744
    scores = numpy.zeros((1, 40), numpy.float32)
    scores[0, 2] = 0.75
    found = outputs(tmp_path, ["none", "dog", "cat"], grid=grid, scores=scores)
    assert found["grid"].note.startswith("1 × 5 × 3 × 2, largest: [0, 4, 1, 0] 44.74;")
    assert "largest: cat 0.75" in found["scores"].note


def test_what_cannot_be_drawn_is_said_and_the_rest_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"<html>not found</html>")
    tensor = write(tmp_path / "t", numpy.zeros(5))
    files = {"source.case.x": tmp_path / "photo.png", "tensor.case.x": tensor}
    (given,) = case(tmp_path, PHOTO, files).inputs
    assert "The file is not an image that Pillow can read." in given.note
    assert "The file size does not match the tensor spec." in given.note
    (tmp_path / "bad.xml").write_bytes(b"<net")
    found = drawn(tmp_path, PHOTO, {**files, "xml": tmp_path / "bad.xml"})
    assert found.statistics is None
    assert found.unread
