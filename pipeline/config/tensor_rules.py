"""Validation of a tensor's table, so that nothing about its bytes is guessed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.config.mistake import Mistake
from pipeline.config.tensor_tables import Tensor

CHANNELS = {"RGB": 3, "BGR": 3, "GRAY": 1, "RGBA": 4}
_OF_IMAGES = ("colour", "layout", "resize", "range")
_ONLY_IMAGES = (
    *("crop", "rotate", "shorter", "padding", "background", "pixels", *_OF_IMAGES, "mean", "scale"),
    *("mean_image", "any_layout"),
)
_MADE_OF = ("image", "signal", "sound", "array", "text", "content", "noise", "constant")
# What a tensor without elements may be made of.
_EMPTY = ("array", "content", "noise", "constant")
_WHOLE = ("u8", "i8", "i32", "i64")
_LARGEST_F16 = 65504
_BOUNDS = {
    "u8": (0, 255),
    "i8": (-128, 127),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**53), 2**53),
}


def is_usual_layout(layout: str) -> bool:
    """Return whether some framework has images in this order: depth, height and width in a row.

    >>> is_usual_layout("NCDHW"), is_usual_layout("CHWN"), is_usual_layout("NCWH")
    (True, True, False)
    """
    return ("DHW" if "D" in layout else "HW") in layout


def check_tensor(tensor: Tensor, dims: tuple[int, ...], name: str) -> list[Mistake]:
    """Return the errors in a tensor of shape ``dims``; paths are relative to its table.

    ``name`` is its name in messages, such as ``tensor.cat.data``.
    """
    given = [key for key in _MADE_OF if getattr(tensor, key) is not None]
    if len(given) != 1:
        message = f"[{name}] needs exactly one origin."
        return [Mistake((), message, " or ".join(_MADE_OF), " and ".join(given) or "none")]
    if 0 in dims and given[0] not in _EMPTY:
        message = f"[{name}] has no elements, which cannot come from {given[0]}."
        found = "x".join(map(str, dims))
        return [Mistake((given[0],), message, " or ".join(_EMPTY), found)]
    rules = {
        "image": _image,
        "signal": _signal,
        "sound": _sound,
        "array": _array,
        "text": _text,
        "content": _content,
        "noise": _noise,
        "constant": _constant,
    }
    return list(rules[given[0]](tensor, dims, name))


def _image(tensor: Tensor, dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    for key in _OF_IMAGES:
        if getattr(tensor, key) is None:
            message = f"[{name}] has an image but no {key}."
            yield Mistake((), message, key, hint="Nothing about an image is guessed: set it.")
    if tensor.layout is not None and not (tensor.any_layout or is_usual_layout(tensor.layout)):
        message = f"No framework has the layout {tensor.layout}."
        hint = "If the model takes such images, set any_layout = true or --any-layout."
        yield Mistake(("layout",), message, "such as NCHW or NHWC", tensor.layout, hint)
    if tensor.colour is not None and tensor.layout is not None:
        yield from _axes(tensor, dims, name)
    yield from _framing(tensor, dims)
    if tensor.colour is not None:
        yield from _channels(tensor, CHANNELS[tensor.colour])
    if tensor.type in _WHOLE:
        yield from _whole_picture(tensor)
    if tensor.mean_image is not None:
        yield from _mean_image(tensor)
    if tensor.crop is not None:
        for key in ("rows", "columns"):
            span = getattr(tensor.crop, key)
            if span is not None and not 0 <= span[0] < span[1]:
                message = f"The {key} of the crop are empty."
                expected = "first < end, from 0"
                yield Mistake(("crop", key), message, expected, f"{span[0]} to {span[1]}")


def _whole_picture(tensor: Tensor) -> Iterator[Mistake]:
    if tensor.range == "0-1":
        message = f"Integers of type {tensor.type} cannot represent the range 0-1."
        yield Mistake(("range",), message, "0-255", "0-1")
    if tensor.scale:
        message = f"scale does not apply to integers of type {tensor.type}."
        yield Mistake(("scale",), message, hint="Use f32, or set the scale in the model.")
    low, high = _BOUNDS[tensor.type]
    means = tensor.mean or (0.0,)
    if not all(mean == int(mean) and low <= -mean <= 255 - mean <= high for mean in means):
        message = f"Pixel values minus the mean do not fit into {tensor.type}."
        expected = {"u8": "no mean", "i8": "a mean of 128 for each channel"}
        found = ", ".join(f"{mean:g}" for mean in tensor.mean) or "no mean"
        yield Mistake(("mean",), message, expected.get(tensor.type, "integers"), found)


def _mean_image(tensor: Tensor) -> Iterator[Mistake]:
    if tensor.mean:
        message = "mean and mean_image are both subtracted."
        yield Mistake(("mean",), message, "one of mean and mean_image")
    if tensor.range == "0-1":
        message = "A mean image has the values of pixels."
        yield Mistake(("range",), message, "0-255", "0-1")
    if tensor.type in _WHOLE:
        message = f"Pixel values minus a mean image do not fit into {tensor.type}."
        yield Mistake(("type",), message, "f16, bf16, f32 or f64", tensor.type)
    if tensor.colour == "RGBA":
        yield Mistake(("colour",), "A mean image has no transparency.", "BGR, RGB or GRAY", "RGBA")


def _axes(tensor: Tensor, dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.colour is not None
    assert tensor.layout is not None
    channels, layout = CHANNELS[tensor.colour], tensor.layout
    shown = "x".join(map(str, dims))
    singles = [axis for axis in layout if axis in "ND"]
    if len(dims) != len(layout) or any(dims[layout.index(axis)] != 1 for axis in singles):
        message = f"[{name}] is one image, which does not fit the input's shape."
        expected = "x".join("1" if axis in "ND" else axis for axis in layout)
        yield Mistake(("image",), message, expected, shown)
    elif "C" not in layout:
        if channels != 1:
            message = f"A layout without channels needs GRAY, not {tensor.colour}."
            yield Mistake(("layout",), message, "a layout with C", layout)
    elif dims[layout.index("C")] != channels:
        message = f"{tensor.colour} in {tensor.layout} needs {channels} channels."
        expected = f"{channels} at axis {tensor.layout.index('C')} of {shown}"
        found = str(dims[tensor.layout.index("C")])
        yield Mistake(("layout",), message, expected, found)


def _framing(tensor: Tensor, dims: tuple[int, ...]) -> Iterator[Mistake]:
    for key, fit in (("shorter", "centre"), ("padding", "pad")):
        if getattr(tensor, key) is not None and tensor.fit != fit:
            message = f"{key} does not apply to this fit."
            yield Mistake((key,), message, f"fit = '{fit}'", f"fit = '{tensor.fit}'")
    fits = tensor.layout is not None and len(tensor.layout) == len(dims)
    sides = [dims[(tensor.layout or "").index(axis)] for axis in "HW"] if fits else [0]
    if tensor.shorter is not None and tensor.fit == "centre" and tensor.shorter < max(sides):
        message = "shorter is less than the size of the input."
        yield Mistake(("shorter",), message, f"at least {max(sides)}", str(tensor.shorter))
    if tensor.colour == "RGBA" and tensor.background is not None:
        message = "background does not apply to RGBA, which keeps transparency."
        yield Mistake(("background",), message, hint="Remove it, or use RGB.")
    if tensor.decode == "fast":
        if tensor.resize is not None and not tensor.resize.startswith("pillow-"):
            message = "decode = 'fast' needs an antialiasing kernel."
            yield Mistake(("decode",), message, "a pillow-* kernel", tensor.resize)
        if tensor.crop is not None:
            message = "decode = 'fast' cannot be combined with crop."
            yield Mistake(("crop",), message, hint="Remove the crop, or set decode = 'exact'.")


def _channels(tensor: Tensor, channels: int) -> Iterator[Mistake]:
    for key in ("mean", "scale"):
        values = getattr(tensor, key)
        if values and len(values) != channels:
            message = f"The {key} has {len(values)} values for {channels} channels."
            expected = f"{channels}, one for each of {tensor.colour}"
            yield Mistake((key,), message, expected, str(len(values)))


def _without_a_picture(tensor: Tensor, name: str, what: str) -> Iterator[Mistake]:
    for key in _ONLY_IMAGES:
        if getattr(tensor, key) not in (None, (), 0, False):
            yield Mistake((key,), f"[{name}] is {what}, which has no {key}.")


def _content(tensor: Tensor, dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.content is not None
    yield from _without_a_picture(tensor, name, "the content of a file")
    content, size = tensor.content, math.prod(dims)
    if content.head + content.tail != size:
        message = "The content does not fill the input."
        found = f"{content.head} + {content.tail}"
        yield Mistake(("content",), message, f"head + tail = {size}", found)
    yield from _whole(tensor, ("content", "pad"), float(content.pad))


def _constant(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.constant is not None
    yield from _without_a_picture(tensor, name, "one number")
    yield from _whole(tensor, ("constant",), tensor.constant)


def _sound(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    yield from _without_a_picture(tensor, name, "a sound")
    yield from _between_ones(tensor, "sound")


def _array(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.array is not None
    yield from _without_a_picture(tensor, name, "an array")
    if tensor.array.raw and tensor.array.member is not None:
        yield Mistake(
            ("array", "member"), "A raw array has no members.", hint="Remove one of both."
        )


def _text(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.text is not None
    yield from _without_a_picture(tensor, name, "a text")
    text = tensor.text
    by = [key for key in ("vocabulary", "tokenizer") if getattr(text, key) is not None]
    if len(by) != 1:
        message = f"The text of [{name}] needs a vocabulary or a tokenizer."
        yield Mistake(("text",), message, "one of both", " and ".join(by) or "none")
    if text.tokenizer is None and text.give != "ids":
        message = "A vocabulary gives ids only."
        yield Mistake(("text", "give"), message, "a tokenizer", f"give = '{text.give}'")
    for key in ("unknown", "lower"):
        if text.tokenizer is not None and getattr(text, key) not in (None, False):
            message = f"{key} does not apply to a tokenizer, which has its own."
            yield Mistake(("text", key), message, hint="Remove the key.")
    for key in ("pad", "unknown"):
        yield from _whole(tensor, ("text", key), float(getattr(tensor.text, key) or 0))


def _noise(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.noise is not None
    yield from _without_a_picture(tensor, name, "noise")
    noise = tensor.noise
    if noise.low > noise.high:
        message = "The noise has high below low."
        yield Mistake(("noise", "high"), message, f"at least {noise.low:g}", f"{noise.high:g}")
    for key in ("low", "high"):
        yield from _whole(tensor, ("noise", key), getattr(noise, key))


def _between_ones(tensor: Tensor, what: str) -> Iterator[Mistake]:
    if tensor.type in _WHOLE:
        message = f"A {what} has values between -1 and 1."
        yield Mistake(("type",), message, "f16, bf16, f32 or f64", tensor.type)


def _whole(tensor: Tensor, path: tuple[str, ...], value: float) -> Iterator[Mistake]:
    """Yield an error if an element cannot represent a value exactly."""
    if tensor.type == "f16" and abs(value) > _LARGEST_F16:
        yield Mistake(path, "Number too large for f16.", f"at most {_LARGEST_F16}")
    if tensor.type not in _BOUNDS:
        return
    low, high = _BOUNDS[tensor.type]
    if value != int(value) or not low <= value <= high:
        message = f"Type {tensor.type} cannot represent the number."
        yield Mistake(path, message, f"an integer from {low} to {high}", f"{value:g}")


def _signal(tensor: Tensor, _dims: tuple[int, ...], name: str) -> Iterator[Mistake]:
    assert tensor.signal is not None
    yield from _without_a_picture(tensor, name, "a signal")
    yield from _between_ones(tensor, "signal")
    highest = max(tensor.signal.frequencies) * tensor.signal.harmonics
    if highest * 2 >= tensor.signal.rate:
        message = "The highest harmonic exceeds the Nyquist frequency."
        yield Mistake(
            ("signal",),
            message,
            f"below {tensor.signal.rate / 2:g} Hz, half of the rate",
            f"{highest:g} Hz",
            "Use fewer harmonics, or a higher rate.",
        )
