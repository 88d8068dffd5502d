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
