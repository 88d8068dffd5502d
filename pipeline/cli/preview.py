"""`wasi-nn preview`: render a raw tensor as a PNG."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from pipeline.config.tensor_tables import ElementType
from pipeline.errors import Code, PipelineError

_EPILOG = """\
example:
  wasi-nn preview artifacts/squeezenet/cat-1x3x227x227-f32.bgr cat.png
  wasi-nn preview input.raw out.png --dims 1x224x224x3 --type f32 --colour RGB

  Dims, type and colour default to those in the file's name. Without --layout the axis order is
  detected from the bytes and printed. Mean and scale are undone if a manifest.json beside the file
  has them; otherwise the values are scaled to the range of an image, which is printed too.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "preview",
        help="render a tensor as a PNG",
        description="Renders a raw tensor as an image, in a given or detected layout.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tensor", type=Path, help="raw tensor file")
    parser.add_argument("output", type=Path, help="image to write (.png)")
    parser.add_argument("--dims", type=dims, metavar="1x3xHxW", help="shape of the tensor")
    parser.add_argument("--type", choices=get_args(ElementType), help="element type")
    parser.add_argument("--layout", help="axis order, such as NCHW")
    parser.add_argument("--colour", choices=("RGB", "BGR", "GRAY", "RGBA"), help="channel order")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Write the image; raises PipelineError."""
    from PIL import Image

    from pipeline.cache.atomic import atomic_write
    from pipeline.tensor.tensor_file import read_tensor
    from pipeline.tensor.tensor_preview import picture_of

    spec = _spec(args)
    values = read_tensor(args.tensor, spec)
    if not values.size:
        found = "x".join(map(str, spec.dims))
        message = "The tensor has no elements, and no image."
        raise PipelineError(Code.USAGE, message, where=str(args.tensor), found=found)
    layout, values = _read_in(args, values, spec.dims)
    if spec.range is None:
        low, high = float(values.min()), float(values.max())
        print(
            f"no manifest describes the tensor; its values range from {low:.6g} to {high:.6g}",
            file=sys.stderr,
        )
    pixels = picture_of(values, layout, spec)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    try:
        with atomic_write(args.output) as part:
            image.save(part, format="PNG")
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the image.",
            where=str(args.output),
            found=error.strerror or str(error),
        ) from None
    print(f"{args.output}: {image.width} x {image.height}, read as {layout}")
    return 0


def dims(text: str) -> tuple[int, ...]:
    """Return the dims in a text like ``1x3x227x227``."""
    try:
        found = tuple(int(part) for part in text.split("x"))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1x3x227x227")
    return found


def _spec(args: argparse.Namespace) -> Any:
    from pipeline.tensor.spec import TensorSpec
    from pipeline.tensor.tensor_file import spec_of

    try:
        spec = spec_of(args.tensor)
    except PipelineError as error:
        if not (args.dims and args.type):
            error.hint = "Give --dims and --type."
            raise
        spec = TensorSpec(args.dims, args.type, None, None)
    given = {key: getattr(args, key) for key in ("dims", "type", "colour") if getattr(args, key)}
    return replace(spec, **given)


def _read_in(args: argparse.Namespace, values: Any, dims: tuple[int, ...]) -> tuple[str, Any]:
    """Return the given or detected axis order, and the values in it.

    Raises PipelineError.
    """
    from pipeline.tensor.layout_detector import declared_layout, detect_layout, reread

    if args.layout:
        layout: str = args.layout
        fits = len(layout) == len(dims) == len(set(layout)) and set("HW") <= set(layout)
        lengths = dict(zip(layout, dims, strict=False))
        if not fits or set(layout) - set("NCDHW") or lengths.get("C", 1) not in (1, 3, 4):
            raise PipelineError(
                Code.USAGE,
                "The tensor is not an image in this layout.",
                where=f"--layout {layout}",
                expected=f"{len(dims)} of N, C, D, H and W, with 1, 3 or 4 channels",
                found="x".join(map(str, dims)),
            )
        if any(lengths.get(axis, 1) != 1 for axis in "ND"):
            raise PipelineError(
                Code.USAGE,
                "The tensor holds several images.",
                where=f"--layout {layout}",
                found="x".join(map(str, dims)),
            )
        return layout, values
    if claimed := declared_layout(dims):
        seen = detect_layout(values, claimed)
        if seen.layout != claimed:
            print(
                f"the dims suggest {claimed}, but the bytes look like {seen.layout}",
                file=sys.stderr,
            )
        return seen.layout, reread(values, claimed, seen.layout)
    raise PipelineError(
        Code.USAGE,
        "Cannot detect the axis order from the dims.",
        where=str(args.tensor),
        found="x".join(map(str, dims)),
        hint="Give --layout.",
    )
