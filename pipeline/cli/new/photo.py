"""How a photo fits an image input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.cli.new.inputs import Input
from pipeline.errors import Code, PipelineError

_STRETCHABLE = 2.0
_USABLE = 20.0
_MODES: dict[str, Literal["L", "RGB", "RGBA"]] = {"GRAY": "L", "RGBA": "RGBA"}


@dataclass(frozen=True)
class Fit:
    """How a photo fits an input: additional keys of its tensor, reasons, and notes for the user."""

    keys: dict[str, Any]
    why: dict[str, str]
    notes: tuple[str, ...]


def fit(path: Path, given: Input) -> Fit:
    """Return how a photo fits an input; raises PipelineError (TENSOR) if it does not."""
    from PIL import Image

    from pipeline.tensor.decode_image import decode

    if not path.is_file():
        raise PipelineError(Code.USAGE, "No such image.", where=f"--image {path}")
    colour, layout = given.picture["colour"], given.picture["layout"]
    try:
        picture = decode(path, _MODES.get(colour, "RGB"))
    except PipelineError as error:
        if "--pixels" in error.hint:
            error.hint = "Resize the photo first."
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
            "The aspect ratio is too extreme.",
            where=str(path),
            expected=f"about that of the input, {width} x {height}",
            found=f"{size} pixels",
            hint="Crop it first.",
        )
    notes = []
    if grey and colour in ("RGB", "BGR"):
        notes.append(f"{path.name} is greyscale: its three channels will be equal")
    if ratio > _STRETCHABLE:
        notes.append(f"{path.name} has another aspect ratio ({size}): it is padded, not stretched")
        return Fit({"fit": "pad"}, {"fit": f"{size} into {width} x {height}"}, tuple(notes))
    return Fit({}, {}, tuple(notes))
