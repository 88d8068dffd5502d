"""Pictures become tensors in one stated order, to the last bit."""

from __future__ import annotations

import struct
import tempfile
import threading
import zlib
from itertools import permutations
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from pipeline.config.tensor_rules import CHANNELS, check_tensor
from pipeline.config.tensor_tables import Crop, Tensor
from pipeline.errors import Code, PipelineError
from pipeline.tensor.decode_image import decode, pixels_of
from pipeline.tensor.image import image_tensor, normalised, to_element_type

KINDS = {
    **{"f16": "f2", "f32": "f4", "f64": "f8", "u8": "u1", "i8": "i1", "i32": "i4", "i64": "i8"},
    "bf16": "u2",
}
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "openvino-rs"


def tensor(**given: Any) -> Tensor:
    settings: dict[str, Any] = {
        "type": "f32",
        "image": "photo",
        "resize": "nearest",
        "colour": "RGB",
        "layout": "NCHW",
        "range": "0-255",
    }
    return Tensor(**{**settings, **given})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture of 7 by 5 pixels, all different."""
    pixels = numpy.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def bytes_of(path: Path) -> Any:
    return numpy.asarray(Image.open(path))


def decoded(path: Path, *, grey: bool, **options: Any) -> Any:
    return pixels_of(decode(path, "L" if grey else "RGB", **options))


# The slow reference: one element at a time, from the definition.
def element(pixel: Any, channel: int, spec: Tensor) -> Any:
    order = {"RGB": (0, 1, 2), "BGR": (2, 1, 0), "RGBA": (0, 1, 2, 3)}
    if spec.colour == "GRAY":
        # ITU-R 601 in shares of 65536, as Pillow rounds it.
        red, green, blue = (int(part) for part in pixel[:3])
        value = numpy.float32((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)
    else:
        value = numpy.float32(pixel[order[str(spec.colour)][channel]])
    if spec.range == "0-1":
        value = value / numpy.float32(255)
    if spec.mean:
        value = value - numpy.float32(spec.mean[channel])
    if spec.scale:
        value = value / numpy.float32(spec.scale[channel])
    return of_kind(value, spec.type)


def of_kind(value: Any, kind: str) -> Any:
    if kind != "bf16":
        return value.astype(KINDS[kind])
    # The upper half of its bits, of the two nearest the nearer, of those as near the even one.
    bits = int(value.view(numpy.uint32))
    below = bits >> 16
    rest = bits & 0xFFFF
    return below + (rest > 0x8000 or (rest == 0x8000 and below % 2 == 1))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(list(KINDS)),
    st.sampled_from([*map("".join, permutations("NCHW")), "CHW", "HWC", "WCH", "NCDHW"]),
    st.sampled_from(["RGB", "BGR", "GRAY", "RGBA"]),
    st.sampled_from(["0-255", "0-1"]),
    st.integers(0, 2**32 - 1),
)
def test_every_element_is_what_the_definition_says(
    kind: str, layout: str, colour: str, value_range: str, seed: int
) -> None:
    source = numpy.random.default_rng(seed)
    pixels = source.integers(0, 256, (3, 4, 4), dtype=numpy.uint8)
    count = CHANNELS[colour]
    recipe: dict[str, Any] = {}
    if kind not in ("u8", "i8", "i32", "i64"):
        recipe = {"mean": tuple(source.random(count)), "scale": tuple(0.1 + source.random(count))}
    elif kind != "u8":
        recipe = {"mean": (128.0,) * count}
    if "scale" in recipe:
        recipe["range"] = value_range
    spec = tensor(type=kind, layout=layout, any_layout=True, colour=colour, **recipe)
    lengths = {"N": 1, "D": 1, "C": count, "H": 3, "W": 4}
    dims = tuple(lengths[axis] for axis in layout)
    assert not check_tensor(spec, dims, "x")
    with tempfile.TemporaryDirectory() as folder:
        # What is transparent would be laid on a ground, which has a test of its own.
        Image.fromarray(pixels if colour == "RGBA" else pixels[:, :, :3]).save(f"{folder}/x.png")
        made = image_tensor(Path(folder, "x.png"), spec, dims, "x")
    assert made.dtype == numpy.dtype(KINDS[kind])
    for row, column, channel in numpy.ndindex(3, 4, count):
        place = {"N": 0, "D": 0, "C": channel, "H": row, "W": column}
        expected = element(pixels[row, column], channel, spec)
        assert made[tuple(place[axis] for axis in layout)] == expected


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([0, 90, 180, 270]),
    st.tuples(st.integers(0, 2), st.integers(3, 5)),
    st.tuples(st.integers(0, 3), st.integers(4, 7)),
)
def test_crop_comes_before_rotation(
    rotate: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    pixels = numpy.random.default_rng(2).integers(0, 256, (5, 7, 3), dtype=numpy.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.png")
        Image.fromarray(pixels).save(path)
        part = Image.fromarray(pixels[rows[0] : rows[1], columns[0] : columns[1]])
        turned = numpy.asarray(part.rotate(rotate, expand=True))
        spec = tensor(crop=Crop(rows=rows, columns=columns), rotate=rotate, layout="NHWC")
        made = image_tensor(path, spec, (1, *turned.shape), "x")
    assert (made[0] == turned).all()


@pytest.mark.parametrize(
    ("kernel", "flag"),
    [
        ("opencv-linear", "INTER_LINEAR"),
        ("opencv-area", "INTER_AREA"),
        ("opencv-cubic", "INTER_CUBIC"),
    ],
)
def test_a_kernel_is_that_of_the_library_it_names(photo: Path, kernel: str, flag: str) -> None:
    import cv2

    made = image_tensor(photo, tensor(resize=kernel, layout="NHWC"), (1, 9, 4, 3), "x")
    expected = cv2.resize(bytes_of(photo), (4, 9), interpolation=getattr(cv2, flag))
    assert (made[0] == expected).all()


def test_nearest_takes_the_pixel_under_the_centre(photo: Path) -> None:
    made = image_tensor(photo, tensor(layout="NHWC"), (1, 10, 14, 3), "x")
    assert (made[0] == bytes_of(photo).repeat(2, axis=0).repeat(2, axis=1)).all()


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("tensor-1x3x227x227-f32.bgr", (1, 227, 227, 3)),
        ("tensor-1x224x224x3-f32.bgr", (1, 224, 224, 3)),
    ],
)
@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published tensors are not beside us")
def test_the_published_tensors_come_out_bit_for_bit(name: str, dims: tuple[int, ...]) -> None:
    picture = PUBLISHED / "decoded-000000062808.png"
    published = (PUBLISHED / name).read_bytes()
    spec = tensor(resize="opencv-linear", colour="BGR", layout="NHWC")
    # They are HWC, whatever the first one's name says.
    assert image_tensor(picture, spec, dims, "x").tobytes() == published
    planes = (dims[0], 3, dims[1], dims[2])
    true = image_tensor(picture, tensor(resize="opencv-linear", colour="BGR"), planes, "x")
    assert true.tobytes() != published
    assert (true == numpy.frombuffer(published, "f4").reshape(dims).transpose(0, 3, 1, 2)).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_imagenet_recipe_is_torchvisions_to_the_last_bit(seed: int) -> None:
    pixels = numpy.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=numpy.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    ours = normalised(pixels, tensor(range="0-1", mean=mean, scale=std), "HWC")
    # ToTensor divides a float32 by 255; Normalize subtracts and divides by float32 tensors.
    theirs = pixels.transpose(2, 0, 1).astype(numpy.float32) / numpy.float32(255)
    theirs = theirs - numpy.array(mean, numpy.float32).reshape(3, 1, 1)
    theirs = theirs / numpy.array(std, numpy.float32).reshape(3, 1, 1)
    assert ours.dtype == numpy.float32
    assert (ours.transpose(2, 0, 1) == theirs).all()


# What EXIF 2.3 says of each number: where the first row and the first column are seen.
ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("number", ORIENTED)
def test_exif_orientation_is_applied(photo: Path, tmp_path: Path, number: int, suffix: str) -> None:
    if not features.check("avif") and suffix == "avif":
        pytest.skip("this Pillow has no AVIF")
    exif = Image.Exif()
    exif[0x0112] = number
    paths = tmp_path / f"plain.{suffix}", tmp_path / f"turned.{suffix}"
    lossless: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    Image.open(photo).save(paths[0], **lossless)
    Image.open(photo).save(paths[1], exif=exif, **lossless)
    plain, turned = (decoded(path, grey=False) for path in paths)
    assert (turned == ORIENTED[number](plain)).all()


def test_what_is_transparent_is_laid_on_black(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 1), (200, 100, 50, 128)).save(tmp_path / "a.png")
    pixel = decoded(tmp_path / "a.png", grey=False)[0, 0]
    assert numpy.abs(pixel.astype(int) - [100, 50, 25]).max() <= 1
    Image.new("RGBA", (2, 1), (200, 100, 50, 0)).save(tmp_path / "b.png")
    assert (decoded(tmp_path / "b.png", grey=False) == 0).all()


def test_a_palette_is_looked_up(photo: Path, tmp_path: Path) -> None:
    few = Image.new("P", (2, 1))
    few.putpalette([10, 20, 30, 200, 100, 0])
    few.putpixel((1, 0), 1)
    few.save(tmp_path / "p.png")
    assert decoded(tmp_path / "p.png", grey=False).tolist() == [[[10, 20, 30], [200, 100, 0]]]


def test_grey_is_repeated_or_kept(tmp_path: Path) -> None:
    Image.new("L", (1, 1), 77).save(tmp_path / "g.png")
    assert decoded(tmp_path / "g.png", grey=False).tolist() == [[[77, 77, 77]]]
    assert decoded(tmp_path / "g.png", grey=True).tolist() == [[[77]]]


def test_grey_of_colour_is_itu_601_luma(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (250, 120, 30)).save(tmp_path / "c.png")
    luma = round((250 * 299 + 120 * 587 + 30 * 114) / 1000)
    assert decoded(tmp_path / "c.png", grey=True).tolist() == [[[luma]]]


def test_16_bit_grey_keeps_its_upper_half(tmp_path: Path) -> None:
    values = numpy.array([[0, 255, 256, 0xABCD, 0xFFFF]], numpy.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert decoded(tmp_path / "deep.png", grey=True)[:, :, 0].tolist() == [[0, 0, 1, 0xAB, 0xFF]]


def png(bits: int, colour: int, rows: list[bytes], clear: bytes, width: int) -> bytes:
    """Return a PNG of these rows with a transparent value (chunk tRNS)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))

    head = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"tRNS", clear)
        + chunk(b"IDAT", body)
        + chunk(b"IEND", b"")
    )


GREY, COLOUR, PINK = 0, 2, [255, 0, 255]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_that_of_the_files_own_depth(tmp_path: Path, bits: int) -> None:
    """Every grey of the depth is the transparent one in turn."""
    values = range(2**bits) if bits < 8 else (0, 1, 2**bits // 2, 2**bits - 1)
    for value in values:
        number = "".join(f"{each:0{bits}b}" for each in values)
        row = int(number, 2) << -len(number) % 8
        data = row.to_bytes((len(number) + 7) // 8, "big")
        (tmp_path / "a.png").write_bytes(
            png(bits, GREY, [data], struct.pack(">H", value), len(values))
        )
        found = decoded(tmp_path / "a.png", grey=False, background=PINK)[0].tolist()
        greys = [each >> bits - 8 if bits > 8 else each * 255 // (2**bits - 1) for each in values]
        assert found == [
            PINK if each == value else [grey] * 3 for each, grey in zip(values, greys, strict=True)
        ]


@pytest.mark.parametrize("turned", [False, True])
def test_a_transparent_colour_of_16_bits_is_compared_in_all_of_them(
    tmp_path: Path, turned: bool
) -> None:
    clear, near = struct.pack(">HHH", 0x1234, 2, 3), struct.pack(">HHH", 0x1235, 2, 3)
    (tmp_path / "a.png").write_bytes(png(16, COLOUR, [clear + near], clear, 2))
    if turned:
        exif = Image.Exif()
        exif[0x0112] = 2
        data = (tmp_path / "a.png").read_bytes()
        block = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
        tag = struct.pack(">I", len(block) - 4) + block + struct.pack(">I", crc32(block))
        at = data.index(b"IDAT") - 4
        (tmp_path / "a.png").write_bytes(data[:at] + tag + data[at:])
    expected = [PINK, [0x12, 0, 0]]
    found = decoded(tmp_path / "a.png", grey=False, background=PINK)[0].tolist()
    assert found == (expected[::-1] if turned else expected)
    shown = pixels_of(decode(tmp_path / "a.png", "RGBA"))[0, :, 3].tolist()
    assert shown == ([255, 0] if turned else [0, 255])


def test_a_transparent_colour_of_8_bits_stays_right(tmp_path: Path) -> None:
    clear = bytes([1, 2, 3])
    (tmp_path / "a.png").write_bytes(
        png(8, COLOUR, [clear + bytes([1, 2, 4])], struct.pack(">HHH", 1, 2, 3), 2)
    )
    assert decoded(tmp_path / "a.png", grey=False, background=PINK).tolist() == [[PINK, [1, 2, 4]]]


@pytest.mark.parametrize(
    "tag",
    [
        # ASCII text with a number's tag, a fraction of nothing, an unknown type, an offset beyond.
        struct.pack("<HHI4s", 0x0131, 5, 1, b"\0\0\0\0"),
        struct.pack("<HHI4s", 0x9004, 2, 3, b"ab\0\0"),
        struct.pack("<HHI4s", 0x011A, 2, 4, b"72/1"),
        struct.pack("<HHI4s", 0x9286, 99, 4, b"abcd"),
        struct.pack("<HHI4s", 0x010F, 2, 4000, b"\xff\xff\xff\x7f"),
        struct.pack("<HHI4s", 0x0100, 2, 2, b"x\0\0\0"),
    ],
)
def test_a_turned_photo_with_odd_tags_is_turned(photo: Path, tmp_path: Path, tag: bytes) -> None:
    """Of EXIF, the orientation is needed; nobody writes the other tags again."""
    plain = Image.open(photo)
    order = sorted([tag, struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)])
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"".join(order) + b"\0\0\0\0"
    plain.save(tmp_path / "plain.jpg", quality=95)
    plain.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    found = decoded(tmp_path / "turned.jpg", grey=False)
    assert (found == ORIENTED[6](decoded(tmp_path / "plain.jpg", grey=False))).all()


def test_16_bit_grey_of_netpbm_keeps_its_upper_half(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n2 1\n65535\n\x12\x34\xfe\xdc")
    assert decoded(tmp_path / "a.pgm", grey=True).ravel().tolist() == [0x12, 0xFE]


def test_in_floating_point_grey_one_is_white(tmp_path: Path) -> None:
    Image.fromarray(numpy.array([[0, 0.5, 1 / 255, 1]], numpy.float32)).save(tmp_path / "a.tif")
    assert decoded(tmp_path / "a.tif", grey=True).ravel().tolist() == [0, 128, 1, 255]
    assert decoded(tmp_path / "a.tif", grey=False)[0, 1].tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (numpy.array([[0, 1.5]], numpy.float32), "floating-point values from 0 to 1.5"),
        (numpy.array([[-1, 1]], numpy.float32), "floating-point values from -1 to 1"),
        (numpy.array([[0, numpy.nan]], numpy.float32), "floating-point values from nan to nan"),
        (numpy.array([[0, 255]], numpy.int32), "32-bit integers"),
    ],
)
def test_numbers_without_a_range_are_not_called_damaged(
    tmp_path: Path, values: numpy.ndarray[Any, Any], found: str
) -> None:
    Image.fromarray(values).save(tmp_path / "a.tif")
    error = refusal(tmp_path / "a.tif")
    assert "no range of values" in error.message
    assert error.found == found


def dds(fourcc: bytes, bits: int = 0) -> bytes:
    pixel = struct.pack("<II4sIIIII", 32, 4 if fourcc else 0x40, fourcc, bits, 0, 0, 0, 0)
    head = struct.pack("<IIIIIII44x", 124, 0x1007, 4, 4, 16, 0, 0) + pixel + bytes(20)
    return b"DDS " + head + bytes(64)


@pytest.mark.parametrize("data", [dds(b"XXXX"), dds(b"DX10"), dds(b"DXT1")[:-60]])
def test_a_texture_that_pillow_does_not_decode_is_one_clear_error(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "a.dds").write_bytes(data)
    assert "truncated or damaged" in refusal(tmp_path / "a.dds").message


def refusal(path: Path) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        decoded(path, grey=False)
    assert caught.value.code is Code.TENSOR
    assert path.name in caught.value.where
    return caught.value


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "avif"])
def test_every_format_is_decoded_close_to_the_picture(tmp_path: Path, suffix: str) -> None:
    if not features.check("avif") and suffix == "avif":
        pytest.skip("this Pillow has no AVIF")
    rows, columns = numpy.mgrid[0:40, 0:60]
    smooth = numpy.stack([rows * 5, columns * 4, rows + columns], axis=2).astype(numpy.uint8)
    path = tmp_path / f"p.{suffix}"
    Image.fromarray(smooth).save(path, quality=95)
    assert numpy.abs(decoded(path, grey=False).astype(int) - smooth).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tiff", "avif"])
def test_a_truncated_picture_is_one_clear_error(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    noise = numpy.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(whole)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert refusal(cut).hint


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x89PNG\r\n\x1a\n", b"\x00" * 5000])
def test_what_is_no_picture_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.png").write_bytes(data)
    found = refusal(tmp_path / "x.png").found
    assert "an empty file" in found if not data else repr(data[:12]) in found


def test_a_decompression_bomb_stays_closed(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.bmp"
    width = height = 30_000
    size = struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54)
    bomb.write_bytes(size + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 1, 1, 0, 0))
    assert "too many pixels" in refusal(bomb).message


def test_the_limit_of_pixels_can_be_raised_for_a_picture_and_holds_for_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100)
    for name in ("large.png", "large.tiff", "large.gif", "large.jpg"):
        Image.new("RGB", (30, 20), (9, 9, 9)).save(tmp_path / name)
        assert "raise it with pixels = 600" in refusal(tmp_path / name).hint
        assert decoded(tmp_path / name, grey=True, pixels=600).shape == (20, 30, 1)
        refusal(tmp_path / name)
    spec = tensor(pixels=600, crop=Crop(rows=(0, 19)), fit="centre", layout="NHWC")
    assert image_tensor(tmp_path / "large.png", spec, (1, 9, 9, 3), "x").shape == (1, 9, 9, 3)
    with pytest.raises(PipelineError):
        decoded(tmp_path / "large.png", grey=True, pixels=599)


@pytest.mark.filterwarnings("error")
def test_threads_do_not_see_each_others_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100)
    large = tmp_path / "large.png"
    Image.new("RGB", (30, 20)).save(large)
    refused, made = [], []

    def decode_often(pixels: int | None) -> None:
        for _ in range(50):
            try:
                made.append(decode(large, "RGB", pixels=pixels))
            except PipelineError:
                refused.append(pixels)

    threads = [threading.Thread(target=decode_often, args=(each,)) for each in (None, 600) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [None] * 100
    assert len(made) == 100
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_crop_out_of_the_picture_tells_its_size(photo: Path) -> None:
    spec = tensor(crop=Crop(rows=(0, 6)))
    with pytest.raises(PipelineError) as caught:
        image_tensor(photo, spec, (1, 3, 5, 7), "tensor.cat.data")
    assert "5 rows and 7 columns" in caught.value.hint


def test_a_value_too_large_for_its_type_is_refused() -> None:
    with pytest.raises(PipelineError, match="out of range for f16"):
        to_element_type(numpy.array([1e6], numpy.float32), "f16", "x")
