"""The bytes of a picture tell the order of its axes; where they do not, the claim holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from pipeline.tensor.layout_detector import claimed_layout, look_at, reread
from tests.tiny import Project, Run

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "openvino-rs"
MEAN, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def crops(picture: Path, count: int, seed: int) -> list[Any]:
    """Return parts of a photo at sizes that networks take, height × width × channels."""
    image = Image.open(picture).convert("RGB")
    source = numpy.random.default_rng(seed)
    found = []
    for _ in range(count):
        side = int(source.integers(64, min(image.size)))
        left, top = (int(source.integers(0, length - side + 1)) for length in image.size)
        width, height = (int(each) for each in source.choice([64, 96, 160, 224, 227, 299], 2))
        part = image.crop((left, top, left + side, top + side)).resize((width, height))
        found.append(numpy.asarray(part).astype(numpy.float32))
    return found


@pytest.mark.network
def test_photos_are_told_apart_and_none_is_called_wrong(
    shipped: tuple[Project, Run],
) -> None:
    project, _ = shipped
    photos = ("astronaut", "chelsea", "coffee", "rocket")
    run = project.doit(*(f"source:squeezenet.{photo}" for photo in photos))
    assert run.returncode == 0, run.output
    folder = project.root / "artifacts/.steps/squeezenet/sources"
    alarms, found, count = 0, 0, 0
    for seed, photo in enumerate(photos):
        (picture,) = folder.glob(f"{photo}.*")
        for pixels in crops(picture, 60, seed):
            for values in (pixels, ((pixels / 255 - MEAN) / SCALE).astype(numpy.float32)):
                planes = numpy.ascontiguousarray(values.transpose(2, 0, 1))[None]
                whole = values[None]
                count += 2
                alarms += look_at(planes, "NCHW").layout != "NCHW"
                alarms += look_at(whole, "NHWC").layout != "NHWC"
                found += look_at(reread(whole, "NHWC", "NCHW"), "NCHW").layout == "NHWC"
                found += look_at(reread(planes, "NCHW", "NHWC"), "NHWC").layout == "NCHW"
    assert count >= 400
    assert alarms == 0
    assert found >= 0.99 * count


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published tensors are not beside us")
def test_the_published_tensor_is_not_what_its_name_says() -> None:
    data = numpy.fromfile(PUBLISHED / "tensor-1x3x227x227-f32.bgr", "<f4")
    assert look_at(data.reshape(1, 3, 227, 227), "NCHW").layout == "NHWC"
    data = numpy.fromfile(PUBLISHED / "tensor-1x224x224x3-f32.bgr", "<f4")
    assert look_at(data.reshape(1, 224, 224, 3), "NHWC").layout == "NHWC"


@pytest.mark.parametrize("layout", ["CHW", "HWC"])
def test_what_is_flat_or_noise_is_as_it_is_claimed(layout: str) -> None:
    shape = (3, 64, 64) if layout == "CHW" else (64, 64, 3)
    noise = numpy.random.default_rng(1).random(shape)
    for values in (numpy.zeros(shape), numpy.full(shape, 7.0), noise):
        assert look_at(values, layout).layout == layout


@pytest.mark.parametrize(
    ("dims", "layout"),
    [
        ((1, 3, 227, 227), "NCHW"),
        ((1, 224, 224, 4), "NHWC"),
        ((3, 8, 8), "CHW"),
        ((3, 8, 3), None),
        ((2, 3, 8, 8), None),
        ((1, 3, 1, 1000), None),
        ((1, 1, 28, 28), None),
        ((1, 1000), None),
    ],
)
def test_dims_of_a_picture_claim_an_order(dims: tuple[int, ...], layout: str | None) -> None:
    assert claimed_layout(dims) == layout
