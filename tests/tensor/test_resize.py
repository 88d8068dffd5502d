"""How a picture is brought to the size of a tensor, and what its file says besides its pixels."""

from __future__ import annotations

import struct
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import PipelineError
from pipeline.tensor.decode_image import decode, pixels_of
from pipeline.tensor.element_values import as_floats, as_type
from pipeline.tensor.image import image_tensor
from pipeline.tensor.resize import fitted


def tensor(**given: Any) -> Tensor:
    usual: dict[str, Any] = {
        "type": "u8",
        "image": "photo",
        "resize": "nearest",
        "colour": "RGB",
        "layout": "NHWC",
        "range": "0-255",
    }
    return Tensor(**{**usual, **given})


def noise(height: int, width: int, channels: int = 3) -> Any:
    shape = (height, width, channels)
    return numpy.random.default_rng(height * width).integers(0, 256, shape, dtype=numpy.uint8)


@pytest.mark.parametrize(
    ("kernel", "flag"),
    [("bilinear", "BILINEAR"), ("bicubic", "BICUBIC"), ("lanczos", "LANCZOS")],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pillows_kernels_are_pillows(kernel: str, flag: str, channels: int) -> None:
    pixels = noise(30, 40, channels)
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    made = fitted(image, tensor(resize=f"pillow-{kernel}"), 13, 11)
    theirs = numpy.asarray(image.resize((11, 13), Image.Resampling[flag]))
    assert (made == theirs.reshape(13, 11, channels)).all()


def test_rgba_keeps_colours_that_are_not_seen(tmp_path: Path) -> None:
    pixels = noise(8, 8, 4)
    pixels[:, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for resize in ("pillow-bilinear", "opencv-linear"):
        spec = tensor(resize=resize, colour="RGBA")
        made = image_tensor(tmp_path / "a.png", spec, (1, 4, 4, 4), "x")
        assert made[0, :, :, :3].any()
        assert not made[0, :, :, 3].any()


@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 20), st.integers(1, 20))
def test_centre_keeps_the_middle_at_its_aspect(h: int, w: int, height: int, width: int) -> None:
    pixels = noise(h, w)
    made = fitted(Image.fromarray(pixels), tensor(fit="centre"), height, width)
    assert made.shape == (height, width, 3)
    # Nothing but pixels of the picture, and those of its middle.
    seen = {tuple(pixel) for pixel in made.reshape(-1, 3).tolist()}
    assert seen <= {tuple(pixel) for pixel in pixels.reshape(-1, 3).tolist()}


def test_centre_after_a_shorter_side_is_torchvisions(tmp_path: Path) -> None:
    pixels = noise(300, 451)
    made = fitted(
        Image.fromarray(pixels),
        tensor(fit="centre", shorter=256, resize="pillow-bilinear"),
        224,
        224,
    )
    # The longer side is int(256 * 451 / 300); what is kept begins at round((side - 224) / 2).
    resized = Image.fromarray(pixels).resize((384, 256), Image.Resampling.BILINEAR)
    assert (made == numpy.asarray(resized.crop((80, 16, 304, 240)))).all()


@pytest.mark.parametrize(("h", "w"), [(10, 40), (40, 10), (20, 20)])
def test_pad_shows_all_of_the_picture_on_the_stated_colour(h: int, w: int) -> None:
    pixels = numpy.full((h, w, 3), 200, numpy.uint8)
    made = fitted(Image.fromarray(pixels), tensor(fit="pad", padding=(1, 2, 3)), 20, 20)
    inner = (made == 200).all(axis=2)
    assert inner.sum() == (20 * 20 * min(h, w)) // max(h, w)
    assert (made[~inner] == (1, 2, 3)).all()
    assert inner[10, 10]


@pytest.mark.parametrize(
    ("mode", "ground"), [("L", [38]), ("RGB", [10, 20, 200]), ("RGBA", [10, 20, 200, 255])]
)
def test_padding_is_luma_in_grey_and_opaque_in_rgba(mode: str, ground: list[int]) -> None:
    image = Image.new(mode, (10, 2))
    for resize in ("pillow-bilinear", "opencv-linear"):
        made = fitted(image, tensor(fit="pad", padding=(10, 20, 200), resize=resize), 20, 20)
        assert made[0, 0].tolist() == ground
        assert not made[10].any()


@pytest.mark.parametrize("layout", [*map("".join, permutations("NCHW")), "CHW", "HWC", "WHC"])
def test_every_order_of_axes_is_what_its_name_says(tmp_path: Path, layout: str) -> None:
    pixels = noise(4, 5)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    lengths = {"N": 1, "C": 3, "H": 4, "W": 5}
    dims = tuple(lengths[axis] for axis in layout)
    spec = tensor(layout=layout, any_layout=True)
    assert not check_tensor(spec, dims, "x")
    usual = layout in ("NCHW", "NHWC", "CNHW", "HWNC", "HWCN", "CHWN", "CHW", "HWC")
    found = check_tensor(tensor(layout=layout), dims, "x")
    assert [mistake.path for mistake in found] == ([] if usual else [("layout",)])
    made = image_tensor(tmp_path / "p.png", spec, dims, "x")
    for row, column, channel in numpy.ndindex(4, 5, 3):
        place = {"N": 0, "C": channel, "H": row, "W": column}
        assert made[tuple(place[axis] for axis in layout)] == pixels[row, column, channel]


def test_grey_needs_no_channels(tmp_path: Path) -> None:
    pixels = noise(4, 5, 1)[:, :, 0]
    Image.fromarray(pixels).save(tmp_path / "g.png")
    spec = tensor(colour="GRAY", layout="DWH")
    assert (image_tensor(tmp_path / "g.png", spec, (1, 5, 4), "x")[0] == pixels.T).all()


def test_what_is_transparent_is_laid_on_the_stated_colour(tmp_path: Path) -> None:
    Image.new("RGBA", (1, 1), (9, 9, 9, 0)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", "RGB", background=(10, 20, 30)).getpixel((0, 0)) == (
        10,
        20,
        30,
    )


def test_a_colour_profile_counts_only_where_it_is_asked_for(tmp_path: Path) -> None:
    # sRGB with the colours that red and blue mean exchanged.
    held = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    held = held.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    picture = tmp_path / "p.png"
    Image.new("RGB", (2, 2), (200, 100, 50)).save(picture, icc_profile=held)
    assert decode(picture, "RGB").getpixel((0, 0)) == (200, 100, 50)
    applied = numpy.array(decode(picture, "RGB", profile=True).getpixel((0, 0)))
    assert numpy.abs(applied - (50, 100, 200)).max() <= 2


def profile_of(space: str) -> bytes:
    """Return sRGB's profile, or one of grey of gamma 1 (ICC.1:2010: a curve without entries)."""
    if space == "RGB":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, len(white), b"kTRC", 176, len(curve))
    head = struct.pack(">I4sI4s4s4s", 188, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    return head + tags + white + curve


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "I;16"])
def test_a_profile_of_colours_is_applied_to_every_kind_of_picture(
    tmp_path: Path, mode: str
) -> None:
    image = Image.new("RGB", (2, 2), (250, 250, 250))
    if mode == "I;16":
        image = Image.fromarray(numpy.full((2, 2), 250 * 256, numpy.uint16))
    elif mode == "P":
        image = image.quantize(4)
    else:
        image = image.convert(mode)
    image.save(tmp_path / "p.png", icc_profile=profile_of("RGB"))
    plain, applied = (decode(tmp_path / "p.png", "RGB", profile=how) for how in (False, True))
    gap = numpy.abs(pixels_of(plain).astype(int) - pixels_of(applied))
    assert gap.max() <= 1


def test_a_profile_of_grey_is_applied_to_grey_and_refused_for_colours(tmp_path: Path) -> None:
    Image.new("L", (2, 2), 55).save(tmp_path / "g.png", icc_profile=profile_of("GRAY"))
    # A share of 55 / 255 of the light is 128 of 255 in sRGB (IEC 61966-2-1).
    applied = pixels_of(decode(tmp_path / "g.png", "L", profile=True))
    assert numpy.abs(applied.astype(int) - 128).max() <= 1
    Image.new("RGB", (2, 2)).save(tmp_path / "c.png", icc_profile=profile_of("GRAY"))
    with pytest.raises(PipelineError, match="colour profile cannot be applied") as caught:
        decode(tmp_path / "c.png", "L", profile=True)
    assert "grey profile" in caught.value.found


def test_what_is_transparent_stays_so_under_a_profile(tmp_path: Path) -> None:
    for mode, colour in (("RGBA", (9, 9, 9, 0)), ("LA", (9, 0))):
        Image.new(mode, (1, 1), colour).save(tmp_path / "a.png", icc_profile=profile_of("RGB"))
        laid = decode(tmp_path / "a.png", "RGB", background=(10, 20, 30), profile=True)
        assert laid.getpixel((0, 0)) == (10, 20, 30)


def test_a_damaged_colour_profile_is_one_clear_error(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "p.png", icc_profile=b"no profile")
    decode(tmp_path / "p.png", "RGB")
    with pytest.raises(PipelineError, match="colour profile cannot be applied") as caught:
        decode(tmp_path / "p.png", "RGB", profile=True)
    assert "p.png" in caught.value.where


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bit_grey_of_a_tiff_keeps_its_upper_half_in_both_byte_orders(
    tmp_path: Path, order: str
) -> None:
    values = numpy.array([[0, 255, 256, 0xABCD, 0xFFFF]], order)
    Image.frombytes("I;16B" if order == ">u2" else "I;16", (5, 1), values.tobytes()).save(
        tmp_path / "deep.tiff"
    )
    made = pixels_of(decode(tmp_path / "deep.tiff", "L"))
    assert made[0, :, 0].tolist() == [0, 0, 1, 0xAB, 0xFF]


def test_transparency_of_16_bit_grey_is_laid_on_the_stated_colour(tmp_path: Path) -> None:
    image = Image.fromarray(numpy.array([[40000, 40001]], numpy.uint16))
    image.save(tmp_path / "t.png", transparency=40000)
    made = pixels_of(decode(tmp_path / "t.png", "L", background=(9, 9, 9)))
    assert made[0, :, 0].tolist() == [9, 40001 >> 8]


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    for suffix in ("gif", "webp", "png", "tiff"):
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
        assert decode(path, "RGB").getpixel((0, 0)) == (255, 0, 0)


def test_cmyk_becomes_its_inverse(tmp_path: Path) -> None:
    Image.new("CMYK", (1, 1), (255, 0, 0, 0)).save(tmp_path / "c.tiff")
    assert decode(tmp_path / "c.tiff", "RGB").getpixel((0, 0)) == (0, 255, 255)


def test_a_fast_decode_is_close_to_the_exact_one(tmp_path: Path) -> None:
    smooth = Image.fromarray(noise(8, 8)).resize((1600, 1200), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "p.jpg", quality=95)
    exact, fast = (
        image_tensor(
            tmp_path / "p.jpg", tensor(resize="pillow-bilinear", decode=how), (1, 150, 200, 3), "x"
        ).astype(float)
        for how in ("exact", "fast")
    )
    assert (exact != fast).any()
    assert 10 * numpy.log10(255**2 / ((exact - fast) ** 2).mean()) > 45


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"shorter": 256}, ("shorter",)),
        ({"fit": "centre", "shorter": 3}, ("shorter",)),
        ({"padding": (0, 0, 0)}, ("padding",)),
        ({"colour": "RGBA", "background": (0, 0, 0), "layout": "NHWC"}, ("background",)),
        ({"decode": "fast", "resize": "opencv-linear"}, ("decode",)),
        ({"layout": "NHW"}, ("image",)),
        ({"layout": "NDHW"}, ("image",)),
        ({"type": "i8"}, ("mean",)),
        ({"type": "i8", "mean": (127.0, 128.0, 128.0)}, ("mean",)),
        ({"type": "u8", "mean": (1.0, 1.0, 1.0)}, ("mean",)),
        ({"type": "i32", "mean": (0.5, 0.5, 0.5)}, ("mean",)),
        ({"type": "i64", "scale": (1.0, 1.0, 1.0)}, ("scale",)),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    given: dict[str, Any], path: tuple[str, ...]
) -> None:
    channels = 4 if given.get("colour") == "RGBA" else 3
    findings = check_tensor(tensor(**given), (1, 8, 8, channels), "x")
    assert path in [finding.path for finding in findings]


# bf16 from its definition: the nearest of the two neighbours that 16 bits can hold.
@given(st.floats(width=32, min_value=-(2.0**120), max_value=2.0**120))
def test_bf16_is_the_nearest_number_that_16_bits_hold(value: float) -> None:
    bits = int(numpy.float32(value).view(numpy.uint32))
    below, above = ((bits >> 16) << 16, ((bits >> 16) + 1) << 16)
    near = [numpy.uint32(each).view(numpy.float32) for each in (below, above)]
    gaps = [abs(float(each) - value) for each in near]
    made, fits = as_type(numpy.array([value]), "bf16")
    found = float(as_floats(made, "bf16")[0])
    assert fits
    assert abs(found - value) == min(gaps)
    if gaps[0] == gaps[1]:
        assert made[0] % 2 == 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [(256.0, "u8"), (-1.0, "u8"), (128.0, "i8"), (2.0**63, "i64"), (1e39, "bf16"), (7e4, "f16")],
)
def test_what_does_not_fit_is_noticed(value: float, kind: str) -> None:
    assert not as_type(numpy.array([value]), kind)[1]


def test_an_upright_picture_is_not_copied_before_it_is_closed(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4)).save(tmp_path / "p.png")
    image = decode(tmp_path / "p.png", "RGB")
    assert (pixels_of(image) == noise(4, 4)).all()


@pytest.mark.parametrize("size", [(2100, 2000), (2000, 2100), (3_000_001, 2)], ids=str)
def test_a_picture_in_several_blocks_of_memory_has_the_same_pixels(size: tuple[int, int]) -> None:
    pixels = noise(size[1], size[0])
    image = Image.fromarray(pixels)
    assert image.width * image.height * 4 > Image.core.get_block_size()  # type: ignore[attr-defined]
    for _ in range(5):  # What was freed is soon overwritten.
        assert (pixels_of(image) == pixels).all()
