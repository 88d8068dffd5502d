"""A mean image is subtracted from each pixel, as in Caffe's data layer."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy
import pytest
from PIL import Image

from pipeline.cli.main import main
from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.protobuf.wire import bytes_field, varint, varint_field
from pipeline.tensor.dataset.make_shard import make_shard
from pipeline.tensor.make_tensor import make_tensor
from pipeline.tensor.spec import TensorSpec, parse_spec

GENERATOR = numpy.random.default_rng(5)
# Blue, green and red of 8 by 6, so that no two axes can be exchanged.
MEAN = GENERATOR.uniform(0, 255, (3, 8, 6)).astype(numpy.float32)
PIXELS = GENERATOR.integers(0, 256, (11, 13, 3), dtype=numpy.uint8)
DIMS = (1, 3, 5, 3)


def blob(array: Any, *, legacy: bool = True, doubles: bool = False) -> bytes:
    """Return a BlobProto as Caffe writes it, with the sizes of before 2015 or since."""
    if legacy:
        sizes = b"".join(varint_field(n, size) for n, size in enumerate(array.shape, 1))
    else:
        sizes = bytes_field(7, bytes_field(1, b"".join(map(varint, array.shape))))
    if doubles:
        return sizes + bytes_field(8, array.astype("<f8").tobytes())
    return sizes + bytes_field(5, array.astype("<f4").tobytes())


def stored(folder: Path, array: Any) -> bytes:
    numpy.save(folder / "a.npy", array)
    return (folder / "a.npy").read_bytes()


def mean_tensor(**given: Any) -> Tensor:
    settings: dict[str, Any] = {
        "type": "f32",
        "image": "photo",
        "mean_image": "mean",
        "resize": "opencv-linear",
        "colour": "BGR",
        "layout": "NCHW",
        "range": "0-255",
    }
    return Tensor(**{**settings, **given})


def job(folder: Path, mean: bytes, tensor: Tensor, dims: tuple[int, ...]) -> Job:
    (folder / "mean.binaryproto").write_bytes(mean)
    Image.fromarray(PIXELS).save(folder / "photo.png")
    return Job(
        inputs={"image": folder / "photo.png", "mean_image": folder / "mean.binaryproto"},
        outputs={"tensor": folder / "out"},
        parameters={"dims": list(dims), "tensor": msgspec.to_builtins(tensor)},
        scratch=folder,
        unkeyed={"name": "tensor.cat.data"},
    )


def made(folder: Path, mean: bytes, dims: tuple[int, ...] = DIMS, **given: Any) -> Any:
    work = job(folder, mean, mean_tensor(**given), dims)
    make_tensor(work)
    return numpy.fromfile(work.outputs["tensor"], numpy.float32).reshape(dims)


def as_in_caffe(mean: Any) -> Any:
    """Return what Caffe's data layer has: the picture of the mean's size, minus that, its centre.

    From the definition in data_transformer.cpp: h_off = (height - crop) / 2, and the mean's index
    is that of the pixel.
    """
    fitted = cv2.resize(PIXELS, (6, 8), interpolation=cv2.INTER_LINEAR)
    found = numpy.zeros(DIMS, numpy.float32)
    for channel in range(3):
        for row in range(5):
            for column in range(3):
                at, across = row + (8 - 5) // 2, column + (6 - 3) // 2
                pixel = numpy.float32(fitted[at, across, 2 - channel])
                found[0, channel, row, column] = pixel - mean[channel, at, across]
    return found


@pytest.mark.parametrize(
    "form",
    [
        lambda _: blob(MEAN[numpy.newaxis]),
        lambda _: blob(MEAN[numpy.newaxis], legacy=False),
        lambda _: blob(MEAN, legacy=False),
        lambda _: blob(MEAN, legacy=False, doubles=True),
        lambda folder: stored(folder, MEAN),
        lambda folder: stored(folder, MEAN.astype(numpy.float64)),
    ],
    ids=["legacy sizes", "a shape", "three axes", "doubles", "npy", "npy of doubles"],
)
def test_the_centre_of_the_picture_loses_the_centre_of_the_mean(tmp_path: Path, form: Any) -> None:
    assert made(tmp_path, form(tmp_path)).tolist() == as_in_caffe(MEAN).tolist()


def test_a_mean_of_doubles_is_rounded_once(tmp_path: Path) -> None:
    """As ilsvrc_2012_mean.npy has them: NumPy subtracts in float64, and keeps float32."""
    mean = numpy.full((3, 5, 3), 100 + 2.0**-20)
    work = made(tmp_path, stored(tmp_path, mean))
    pixels = cv2.resize(PIXELS, (3, 5), interpolation=cv2.INTER_LINEAR)
    wanted = (pixels[:, :, ::-1] - mean.transpose(1, 2, 0)).astype(numpy.float32)
    assert work[0].tolist() == wanted.transpose(2, 0, 1).tolist()


def test_in_rgb_each_colour_loses_its_own_mean(tmp_path: Path) -> None:
    found = made(tmp_path, blob(MEAN, legacy=False), colour="RGB")
    assert found.tolist() == as_in_caffe(MEAN)[:, ::-1].tolist()


def test_the_mean_follows_the_layout(tmp_path: Path) -> None:
    found = made(tmp_path, blob(MEAN, legacy=False), (1, 5, 3, 3), layout="NHWC")
    assert found.tolist() == as_in_caffe(MEAN).transpose(0, 2, 3, 1).tolist()


def test_the_scale_comes_after_the_mean(tmp_path: Path) -> None:
    found = made(tmp_path, blob(MEAN, legacy=False), scale=(2.0, 4.0, 8.0))
    divisors = numpy.array([2, 4, 8], numpy.float32).reshape(1, 3, 1, 1)
    assert found.tolist() == (as_in_caffe(MEAN) / divisors).tolist()


def test_grey_has_a_mean_of_one_channel(tmp_path: Path) -> None:
    grey = numpy.full((5, 3), 7.5)
    found = made(tmp_path, stored(tmp_path, grey), (1, 1, 5, 3), colour="GRAY")
    plain = made(tmp_path, stored(tmp_path, grey * 0), (1, 1, 5, 3), colour="GRAY")
    assert (plain - found == 7.5).all()


def test_the_shorter_side_is_resized_to_at_least_that_of_the_mean(tmp_path: Path) -> None:
    """256 and a mean of 256 by 256: the centre of the resized picture, and then that of both."""
    mean = GENERATOR.uniform(0, 255, (3, 8, 8)).astype(numpy.float32)
    found = made(tmp_path, blob(mean, legacy=False), (1, 3, 5, 5), fit="centre", shorter=8)
    fitted = cv2.resize(PIXELS, (int(8 * 13 / 11), 8), interpolation=cv2.INTER_LINEAR)
    square = fitted[:, 0:8].astype(numpy.float32)[:, :, ::-1].transpose(2, 0, 1)
    assert found[0].tolist() == (square - mean)[:, 1:6, 1:6].tolist()


def damaged(folder: Path, mean: bytes, **given: Any) -> PipelineError:
    with pytest.raises(PipelineError) as raised:
        made(folder, mean, **given)
    assert raised.value.code is Code.TENSOR
    return raised.value


NAN = numpy.where(numpy.arange(144).reshape(3, 8, 6) == 77, numpy.nan, MEAN)
LESS = struct.pack("<f", 1.0)


@pytest.mark.parametrize(
    ("mean", "message", "found"),
    [
        (blob(MEAN[:1], legacy=False), "another shape", "1x8x6"),
        (blob(MEAN[:2], legacy=False), "another shape", "2x8x6"),
        (blob(MEAN.transpose(1, 2, 0), legacy=False), "another shape", "8x6x3"),
        (blob(numpy.stack([MEAN, MEAN])), "another shape", "2x3x8x6"),
        (blob(MEAN[:, :4], legacy=False), "another size", "3x4x6"),
        (blob(numpy.zeros((3, 3000, 6)), legacy=False), "another size", "3x3000x6"),
        (blob(MEAN - 200, legacy=False), "no mean of pixels", " to "),
        (blob(MEAN * 2, legacy=False), "no mean of pixels", " to "),
        (blob(NAN, legacy=False), "no mean of pixels", "nan"),
        (b"", "cannot be read", "no BlobProto with data"),
        (b"not protobuf", "cannot be read", ""),
        (bytes_field(5, LESS), "cannot be read", "shape 0x0x0x0 with 1 values"),
        (blob(MEAN)[:-4], "cannot be read", "exceeds its message"),
        (blob(MEAN) + bytes_field(5, LESS), "cannot be read", "with 145 values"),
        (blob(MEAN) + bytes_field(8, bytes(8)), "cannot be read", "floats and doubles"),
        (blob(MEAN) + varint_field(5, 1), "cannot be read", "not packed"),
        (varint_field(9, 1) * 1001, "cannot be read", "more than 1000 fields"),
        (bytes_field(7, bytes_field(1, b"\1" * 9)) + bytes_field(5, LESS), "cannot be", "9 axes"),
    ],
)
def test_another_mean_image_is_one_error(
    tmp_path: Path, mean: bytes, message: str, found: str
) -> None:
    error = damaged(tmp_path, mean)
    assert message in error.message
    assert found in error.found
    assert error.where == "tensor.cat.data, mean.binaryproto"


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (numpy.zeros((3, 0, 6)), "3x0x6"),
        (numpy.zeros((1, 1, 3, 8, 6)), "1x1x3x8x6"),
        (numpy.float64(3), "no array, or several"),
        (numpy.array([["a"] * 6] * 8), "<U1"),
        (NAN, "nan at [1,"),
    ],
    ids=["empty", "five axes", "a scalar", "texts", "not a number"],
)
def test_another_stored_mean_image_is_one_error(tmp_path: Path, array: Any, found: str) -> None:
    assert found in damaged(tmp_path, stored(tmp_path, array)).found


def test_a_shorter_side_less_than_the_mean_is_refused(tmp_path: Path) -> None:
    error = damaged(tmp_path, blob(MEAN, legacy=False), fit="centre", shorter=6)
    assert (error.expected, error.found) == ("at least 8", "6")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"mean": (1.0, 2.0, 3.0)}, ("mean",)),
        ({"range": "0-1"}, ("range",)),
        ({"type": "u8"}, ("type",)),
        ({"colour": "RGBA"}, ("colour",)),
        ({"image": None, "constant": 1.0}, ("mean_image",)),
    ],
)
def test_what_contradicts_a_mean_image_is_an_error(
    given: dict[str, Any], path: tuple[str, ...]
) -> None:
    dims = (1, 4, 5, 3) if "colour" in given else DIMS
    assert path in [mistake.path for mistake in check_tensor(mean_tensor(**given), dims, "x")]
    assert not check_tensor(mean_tensor(), DIMS, "x")


def test_every_picture_of_a_dataset_loses_it(tmp_path: Path) -> None:
    work = job(tmp_path, blob(MEAN, legacy=False), mean_tensor(), DIMS)
    shard = Job(
        inputs={
            "picture.a.png": work.inputs["image"],
            "picture.b.png": work.inputs["image"],
            "mean_image": work.inputs["mean_image"],
        },
        outputs={"tensors": tmp_path / "tensors", "index": tmp_path / "index"},
        parameters={**work.parameters, "where": "net: dataset val", "bad": "skip"},
        scratch=tmp_path,
    )
    make_shard(shard)
    found = numpy.fromfile(tmp_path / "tensors", numpy.float32).reshape(2, *DIMS)
    assert found.tolist() == [as_in_caffe(MEAN).tolist()] * 2
    # It is wrong for every picture, so none is skipped.
    work.inputs["mean_image"].write_bytes(blob(MEAN[:, :4], legacy=False))
    with pytest.raises(PipelineError, match="The mean image has another size"):
        make_shard(shard)


def test_the_command_subtracts_it_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    job(tmp_path, blob(MEAN, legacy=False), mean_tensor(), DIMS)
    options = ["--dims", "1x3x5x3", "--type", "f32", "--layout", "NCHW", "--colour", "BGR"]
    command = [
        "tensor",
        "photo.png",
        "out.raw",
        *options,
        "--resize",
        "opencv-linear",
        "--mean-image",
    ]
    assert main([*command, "mean.binaryproto"]) == 0
    assert numpy.fromfile("out.raw", numpy.float32).tolist() == as_in_caffe(MEAN).ravel().tolist()
    assert "1x3x5x3 f32 NCHW BGR 0-255 mean-image," in capsys.readouterr().out
    for wrong in (["no.npy"], ["mean.binaryproto", "--mean", "1,2,3"], ["photo.png"]):
        assert main([*command, *wrong]) == 1


def test_the_spec_tells_of_it(tmp_path: Path) -> None:
    spec = TensorSpec.of(mean_tensor(scale=(2.0, 2.0, 2.0)), DIMS)
    assert str(spec) == "1x3x5x3 f32 NCHW BGR 0-255 mean-image scale 2,2,2"
    assert parse_spec(str(spec)) == spec
    assert not parse_spec("1x3x5x3 f32 NCHW BGR 0-255").mean_image


def test_the_manifest_tells_of_it_to_inspect(tmp_path: Path) -> None:
    from pipeline.tensor.tensor_file import spec_of

    entry = {"file": "cat-1x3x5x3-f32.bgr", **msgspec.to_builtins(mean_tensor())}
    manifest = {"tensors": {"cat": {"data": entry}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert spec_of(tmp_path / "cat-1x3x5x3-f32.bgr") == TensorSpec.of(mean_tensor(), DIMS)
