"""Validation of a model's inputs: shape, bounds, layouts and per-channel values."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pipeline.config.mistake import KnownNames, Mistake
from pipeline.config.model_tables import ModelInput
from pipeline.config.wording import Path, quoted

# A guest's memory is 4 GiB, and an element has up to 4 bytes in the common types.
MOST_ELEMENTS = 2**30


def check_input(path: Path, given: ModelInput, knows: KnownNames) -> Iterator[Mistake]:
    """Yield errors in one input."""
    shape = (*path, "shape")
    if knows.whole(*shape) and math.prod(given.shape) > MOST_ELEMENTS:
        message = "The input exceeds the memory of any guest."
        found = "x".join(map(str, given.shape))
        yield Mistake(shape, message, "at most 2^30 elements", found)
    if not knows.whole(*shape):
        return
    yield from _bounds((*path, "bounds"), given, knows)
    yield from _axes(path, given, knows)
    if not all(knows(*path, key) for key in ("layout", "model_layout")):
        return
    channels = _channels(given)
    for key, values in (("mean", given.mean), ("scale", given.scale)):
        if not values or not knows(*path, key):
            continue
        if channels is None:
            message = f"The {key} is per channel, but a one-axis input has no channels."
            yield Mistake((*path, key), message, "a shape such as [1, 3, 224, 224]")
        elif len(values) != channels:
            yield Mistake(
                (*path, key),
                f"The {key} has {_count(len(values), 'value')} for {_count(channels, 'channel')}.",
                str(channels),
                str(len(values)),
                "Channels are axis C of the layout, or axis 1; give one value for each.",
            )
    if given.reverse_channels and channels != 3:
        message = "reverse_channels needs three channels."
        yield Mistake((*path, "reverse_channels"), message, found=f"{channels or 'no'} channels")


def _bounds(path: Path, given: ModelInput, knows: KnownNames) -> Iterator[Mistake]:
    if not given.bounds or not knows.whole(*path):
        return
    if len(given.bounds) != len(given.shape):
        message = "The bounds do not cover every axis."
        yield Mistake(path, message, f"{len(given.shape)} pairs", f"{len(given.bounds)}")
        return
    for axis, ((low, high), size) in enumerate(zip(given.bounds, given.shape, strict=True)):
        if not low <= size <= high:
            message = f"The size of axis {axis} is outside its bounds."
            yield Mistake(path, message, f"from {low} to {high}", str(size))


def _axes(path: Path, given: ModelInput, knows: KnownNames) -> Iterator[Mistake]:
    for key, layout in (("layout", given.layout), ("model_layout", given.model_layout)):
        if layout is None or not knows(*path, key):
            continue
        if len(set(layout)) != len(layout) or len(layout) != len(given.shape):
            message = f"The {key} does not name each axis of the input once."
            yield Mistake((*path, key), message, f"{len(given.shape)} letters", quoted(layout))
            return
    if given.layout is None or not knows(*path, "layout"):
        return
    if given.model_layout is None:
        message = "layout is set without model_layout."
        hint = "Set both, or neither."
        yield Mistake((*path, "model_layout"), message, hint=hint)
    elif sorted(given.layout) != sorted(given.model_layout):
        message = "layout and model_layout have different axes."
        yield Mistake((*path, "layout"), message, quoted(given.model_layout), quoted(given.layout))


def _channels(given: ModelInput) -> int | None:
    layout = given.layout or given.model_layout or ""
    if "C" in layout:
        return given.shape[layout.index("C")] if len(layout) == len(given.shape) else None
    return given.shape[1] if len(given.shape) > 1 else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
