"""A photo held against the input that it is to feed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.draft.inputs import Input
from pipeline.errors import Code, PipelineError

_STRETCHABLE = 2.0
_USABLE = 20.0
_MODES: dict[str, Literal["L", "RGB", "RGBA"]] = {"GRAY": "L", "RGBA": "RGBA"}


@dataclass(frozen=True)
class Fit:
    """How a photo comes into an input: further keys of its tensor, and what is worth saying."""

    keys: dict[str, Any]
    why: dict[str, str]
    said: tuple[str, ...]


def fit(path: Path, given: Input) -> Fit:
    """Return how a photo fits an input; raises PipelineError (TENSOR) for what is none."""
    from PIL import Image

    from pipeline.tensor.decode import decode

    if not path.is_file():
        raise PipelineError(Code.USAGE, "There is no such picture.", where=f"--image {path}")
    colour, layout = given.picture["colour"], given.picture["layout"]
    try:
        picture = decode(path, _MODES.get(colour, "RGB"))
    except PipelineError as error:
        if "--pixels" in error.hint:
            error.hint = "Give a smaller copy of it."
        raise
    with Image.open(path) as opened:
        grey = opened.mode in ("1", "L", "LA", "I;16", "I")
    height, width = (given.shape[layout.index(axis)] for axis in "HW")
    stretch = (picture.width / picture.height) / (width / height)
    ratio = max(stretch, 1 / stretch)
    size = f"{picture.width} x {picture.height}"
    if ratio > _USABLE:
        raise PipelineError(
            Code.TENSOR,
            "The picture has an aspect that nothing would be left of.",
            where=str(path),
            expected=f"about that of the input, {width} x {height}",
            found=f"{size} pixels",
            hint="Crop it first.",
        )
    said = []
    if grey and colour in ("RGB", "BGR"):
        said.append(f"{path.name} is grey: its three channels will be equal")
    if ratio > _STRETCHABLE:
        said.append(f"{path.name} has another aspect ({size}): it is padded, not stretched")
        return Fit({"fit": "pad"}, {"fit": f"{size} into {width} x {height}"}, tuple(said))
    return Fit({}, {}, tuple(said))
