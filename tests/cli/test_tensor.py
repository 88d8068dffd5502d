"""`wasi-nn tensor`, `preview` and `inspect` of a tensor as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import pytest
from PIL import Image

from tests.fork_server import wasi_nn

NEEDED = "--type f32 --layout NCHW --colour BGR --resize opencv-linear"


def make(cwd: Path, output: str, dims: str, more: str = NEEDED) -> str:
    done = wasi_nn("tensor", "photo.png", output, "--dims", dims, *more.split(), cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a smooth picture in three colours."""
    rows, columns = numpy.mgrid[0:48, 0:64]
    channels = [
        128 + 100 * numpy.sin(rows / 9 + shift) * numpy.cos(columns / 7) for shift in (0, 1, 2)
    ]
    Image.fromarray(numpy.stack(channels, axis=2).astype(numpy.uint8)).save(tmp_path / "photo.png")
    return tmp_path


def test_a_tensor_in_a_folder_gets_the_name_that_tells_what_it_is(folder: Path) -> None:
    said = make(folder, ".", "1x3x48x64")
    path = folder / "photo-1x3x48x64-f32.bgr"
    pixels = numpy.asarray(Image.open(folder / "photo.png"))
    expected = pixels[:, :, ::-1].transpose(2, 0, 1).astype(numpy.float32)
    assert path.read_bytes() == expected.tobytes()
    assert "NCHW" in said


def test_pictures_of_other_names_do_not_replace_each_other(folder: Path) -> None:
    photo = (folder / "photo.png").read_bytes()
    (folder / "猫.png").write_bytes(photo)
    Image.new("RGB", (64, 48)).save(folder / "犬.png")
    Image.new("RGB", (64, 48)).save(folder / "photo.bmp")
    for name in ("猫.png", "犬.png"):
        done = wasi_nn("tensor", name, ".", "--dims", "1x3x48x64", *NEEDED.split(), cwd=folder)
        assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("*-1x3x48x64-f32.bgr"))) == 2
    for _ in range(2):
        make(folder, ".", "1x3x48x64")
    made = (folder / "photo-1x3x48x64-f32.bgr").read_bytes()
    done = wasi_nn("tensor", "photo.bmp", ".", "--dims", "1x3x48x64", *NEEDED.split(), cwd=folder)
    assert done.returncode == 1
    assert "already has another tensor of this name" in done.stderr
    assert (folder / "photo-1x3x48x64-f32.bgr").read_bytes() == made


def test_dims_of_another_shape_than_a_picture_are_one_clear_error(folder: Path) -> None:
    done = wasi_nn("tensor", "photo.png", ".", "--dims", "1x3x48", *NEEDED.split(), cwd=folder)
    assert done.returncode == 1
    assert "[photo.png] is one image" in done.stderr
    assert "--dims" in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["photo.png"]


def test_a_tensor_says_its_spec_and_a_name_without_a_manifest_is_told_to_settle_no_layout(
    folder: Path,
) -> None:
    assert "1x3x48x64 f32 NCHW BGR 0-255" in make(folder, ".", "1x3x48x64")
    done = wasi_nn("inspect", "--json", "photo-1x3x48x64-f32.bgr", cwd=folder)
    found = json.loads(done.stdout)
    assert found["spec"] == "1x3x48x64 f32 BGR"
    assert "does not state the layout" in found["note"]
    entry = {"file": "photo-1x3x48x64-f32.bgr", "layout": "NCHW", "range": "0-255"}
    (folder / "manifest.json").write_text(json.dumps({"tensors": {"photo": {"x": entry}}}))
    done = wasi_nn("inspect", "--json", "photo-1x3x48x64-f32.bgr", cwd=folder)
    found = json.loads(done.stdout)
    assert found["spec"] == "1x3x48x64 f32 NCHW BGR 0-255"
    assert "note" not in found


def test_a_preview_shows_the_picture_again(folder: Path) -> None:
    make(folder, ".", "1x3x48x64")
    done = wasi_nn("preview", "photo-1x3x48x64-f32.bgr", "again.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    again, photo = (Image.open(folder / name) for name in ("again.png", "photo.png"))
    assert (numpy.asarray(again) == numpy.asarray(photo)).all()


def test_a_preview_undoes_what_the_manifest_tells(folder: Path) -> None:
    recipe = {"mean": [0.485, 0.456, 0.406], "scale": [0.229, 0.224, 0.225], "range": "0-1"}
    more = "--type f32 --layout NCHW --colour RGB --resize nearest --range 0-1"
    make(folder, ".", "1x3x48x64", f"{more} --mean 0.485,0.456,0.406 --scale 0.229,0.224,0.225")
    name = "photo-1x3x48x64-f32.rgb"
    entry = {"file": name, "layout": "NCHW", **recipe}
    (folder / "manifest.json").write_text(json.dumps({"tensors": {"photo": {"x": entry}}}))
    done = wasi_nn("preview", name, "again.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    again, photo = (Image.open(folder / name) for name in ("again.png", "photo.png"))
    assert (numpy.asarray(again) == numpy.asarray(photo)).all()


def test_bytes_in_another_order_than_the_name_says_are_noticed(folder: Path) -> None:
    make(folder, "t-1x48x64x3-f32.bgr", "1x48x64x3", NEEDED.replace("NCHW", "NHWC"))
    good = wasi_nn("inspect", "t-1x48x64x3-f32.bgr", cwd=folder)
    assert (good.returncode, "warning" in good.stdout) == (0, False)
    (folder / "t-1x48x64x3-f32.bgr").rename(folder / "t-1x3x48x64-f32.bgr")
    bad = wasi_nn("inspect", "--json", "t-1x3x48x64-f32.bgr", cwd=folder)
    found = json.loads(bad.stdout)
    assert bad.returncode == 1
    assert (found["layout by its name"], found["layout by its bytes"]) == ("NCHW", "NHWC")
    shown = wasi_nn("preview", "t-1x3x48x64-f32.bgr", "again.png", cwd=folder)
    assert "the bytes look like NHWC" in shown.stderr
    again, photo = (Image.open(folder / name) for name in ("again.png", "photo.png"))
    assert (numpy.asarray(again) == numpy.asarray(photo)).all()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            f"tensor photo.png t-1x3x9x9-f32.bgr --dims 1x3x8x8 {NEEDED}",
            "does not match the tensor",
        ),
        (f"tensor none.png . --dims 1x3x8x8 {NEEDED}", "No such image"),
        (f"tensor text.txt . --dims 1x3x8x8 {NEEDED}", "not an image"),
        (f"tensor photo.png . --dims 1x3x8 {NEEDED}", "does not fit the input's shape"),
        (f"tensor photo.png . --dims 1x4x8x8 {NEEDED}", "needs 3 channels"),
        (f"tensor photo.png . --dims 1x3x8x8 {NEEDED} --mean 1", "1 values for 3 channels"),
        (f"tensor photo.png . --dims 1x3x8x8 {NEEDED} --rows 0,99", "exceeds the image's rows"),
        (f"tensor photo.png . --dims 1x3x8x8 {NEEDED} --shorter 0", "Invalid option value"),
        (f"tensor photo.png no/where --dims 1x3x8x8 {NEEDED} --type i8", "do not fit into i8"),
        (
            f"tensor photo.png . --dims 1x3x8x8 {NEEDED} --layout NCWH",
            "No framework has the layout NCWH",
        ),
        ("preview text.txt a.png", "The file name is not that of a tensor"),
        ("preview short-1x3x8x8-f32.bgr a.png", "size does not match the tensor spec"),
        ("preview text.txt a.png --dims 4 --type u8", "Cannot detect the axis order"),
        ("preview text.txt a.png --dims 2x2 --type u8 --layout NC", "not an image in this layout"),
        ("preview none-1x3x8x8-f32.bgr a.png", "cannot be read"),
        ("inspect short-1x3x8x8-f32.bgr", "size does not match the tensor spec"),
    ],
)
def test_what_cannot_be_is_one_clear_error(folder: Path, command: str, said: str) -> None:
    (folder / "text.txt").write_text("text")
    (folder / "short-1x3x8x8-f32.bgr").write_bytes(b"short")
    before = set(folder.iterdir())
    done = wasi_nn(*command.split(), cwd=folder)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert set(folder.iterdir()) == before


def test_every_type_and_grey_can_be_shown(folder: Path) -> None:
    for kind in ("u8", "f16", "bf16", "f64", "i32", "i64"):
        more = f"--type {kind} --layout NCHW --colour GRAY --resize nearest"
        make(folder, ".", "1x1x48x64", more)
        name = f"photo-1x1x48x64-{kind}.gray"
        done = wasi_nn("preview", name, f"{kind}.png", "--layout", "NCHW", cwd=folder)
        assert done.returncode == 0, done.stderr
        grey = numpy.asarray(Image.open(folder / "photo.png").convert("L")).astype(int)
        shown = numpy.asarray(Image.open(folder / f"{kind}.png")).astype(int)
        assert numpy.abs(grey - shown).max() <= 1
