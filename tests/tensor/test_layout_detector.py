"""The bytes of a picture tell the order of its axes; where they do not, the claim holds."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from pipeline.tensor.layout_detector import declared_layout, detect_layout

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "openvino-rs"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published tensors are not beside us")
def test_the_published_tensor_is_not_what_its_name_says() -> None:
    data = numpy.fromfile(PUBLISHED / "tensor-1x3x227x227-f32.bgr", "<f4")
    assert detect_layout(data.reshape(1, 3, 227, 227), "NCHW").layout == "NHWC"
    data = numpy.fromfile(PUBLISHED / "tensor-1x224x224x3-f32.bgr", "<f4")
    assert detect_layout(data.reshape(1, 224, 224, 3), "NHWC").layout == "NHWC"


@pytest.mark.parametrize("layout", ["CHW", "HWC"])
def test_what_is_flat_or_noise_is_as_it_is_claimed(layout: str) -> None:
    shape = (3, 64, 64) if layout == "CHW" else (64, 64, 3)
    noise = numpy.random.default_rng(1).random(shape)
    for values in (numpy.zeros(shape), numpy.full(shape, 7.0), noise):
        assert detect_layout(values, layout).layout == layout


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
    assert declared_layout(dims) == layout
