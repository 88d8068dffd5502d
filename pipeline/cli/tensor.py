"""`wasi-nn tensor`: convert an image to the raw bytes that a guest passes to set_input."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from pipeline.cache.json_decoding import convert_value
from pipeline.cli.preview import dims
from pipeline.config.tensor_tables import ElementType, Kernel
from pipeline.errors import Code, PipelineError

_EPILOG = """\
example:
  wasi-nn tensor cat.jpg out/ --dims 1x3x227x227 --type f32 --layout NCHW --colour BGR \\
      --resize opencv-linear
  wasi-nn tensor cat.jpg cat-1x3x224x224-f32.rgb --dims 1x3x224x224 --type f32 --layout NCHW \\
      --colour RGB --resize pillow-bilinear --fit centre --shorter 256 --range 0-1 \\
      --mean 0.485,0.456,0.406 --scale 0.229,0.224,0.225

  If the output is a folder, the file's name states its shape, type and channel order, such as
  cat-1x3x227x227-f32.bgr. A file name that contradicts the tensor is an error.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "tensor",
        help="convert an image to a raw tensor",
        description=(
            "Decodes, crops, resizes and lays out an image exactly as specified; nothing is "
            "guessed."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", type=Path, help="image file")
    parser.add_argument("output", type=Path, help="file or folder to write")
    needed = parser.add_argument_group("required options")
    needed.add_argument("--dims", type=dims, required=True, metavar="1x3xHxW")
    needed.add_argument("--type", choices=get_args(ElementType), required=True)
    needed.add_argument("--layout", required=True, help="axis order, such as NCHW")
    needed.add_argument("--colour", choices=("RGB", "BGR", "GRAY", "RGBA"), required=True)
    needed.add_argument("--resize", choices=get_args(Kernel), required=True, help="resizing kernel")
    parser.add_argument(
        "--any-layout",
        action="store_true",
        help="accept a layout that no framework has, such as NCWH",
    )
    parser.add_argument(
        "--range", choices=("0-255", "0-1"), default="0-255", help="value range (default: 0-255)"
    )
    parser.add_argument(
        "--mean", type=_numbers, default=(), metavar="M,…", help="subtract from each channel"
    )
    parser.add_argument(
        "--mean-image",
        type=Path,
        metavar="FILE",
        help="subtract Caffe's mean.binaryproto, or a .npy in BGR, from the pixels",
    )
    parser.add_argument(
        "--scale", type=_numbers, default=(), metavar="S,…", help="divide each channel by this"
    )
    parser.add_argument("--rotate", type=int, choices=(0, 90, 180, 270), default=0)
    parser.add_argument("--rows", type=_span, metavar="FIRST,END", help="rows to keep")
    parser.add_argument("--columns", type=_span, metavar="FIRST,END", help="columns to keep")
    parser.add_argument("--fit", choices=("stretch", "centre", "pad"), default="stretch")
    parser.add_argument("--shorter", type=int, help="for --fit centre: shorter side to resize to")
    parser.add_argument("--padding", type=_colour, metavar="R,G,B", help="for --fit pad")
    parser.add_argument(
        "--background", type=_colour, metavar="R,G,B", help="colour behind transparent pixels"
    )
    parser.add_argument(
        "--profile",
        choices=("ignore", "apply"),
        default="ignore",
        help="ICC profile handling (default: ignore)",
    )
    parser.add_argument(
        "--decode",
        choices=("exact", "fast"),
        default="exact",
        help="JPEG decoding mode (default: exact)",
    )
    parser.add_argument(
        "--pixels", type=int, metavar="N", help="maximum number of pixels of the image"
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Write the tensor and print its digest; raises PipelineError."""
    import msgspec

    from pipeline.cache.atomic import atomic_write
    from pipeline.cache.digest import Digest
    from pipeline.config.tensor_rules import check_tensor
    from pipeline.config.tensor_tables import Tensor
    from pipeline.tensor.image import image_tensor
    from pipeline.tensor.mean_image import read_mean_image
    from pipeline.tensor.spec import TensorSpec

    given = {
        key: getattr(args, key)
        for key in Tensor.__struct_fields__
        if getattr(args, key, None) not in (None, ())
    }
    given["image"] = args.image.name
    if args.mean_image is not None:
        given["mean_image"] = args.mean_image.name
    crop = {key: getattr(args, key) for key in ("rows", "columns") if getattr(args, key)}
    if crop:
        given["crop"] = crop
    try:
        table = convert_value(given, Tensor)
    except msgspec.ValidationError as error:
        raise PipelineError(Code.USAGE, "Invalid option value.", found=str(error)) from None
    for finding in check_tensor(table, args.dims, args.image.name):
        raise PipelineError(
            Code.USAGE,
            finding.message,
            where=_option(finding.path),
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )
    spec = TensorSpec.of(table, args.dims)
    target = _target(args, spec)
    if not args.image.is_file():
        raise PipelineError(Code.USAGE, "No such image.", where=str(args.image))
    mean = None
    if args.mean_image is not None:
        if not args.mean_image.is_file():
            raise PipelineError(Code.USAGE, "No such mean image.", where=str(args.mean_image))
        mean = read_mean_image(args.mean_image, table, args.dims, str(args.image))
    data = image_tensor(args.image, table, args.dims, str(args.image), mean).tobytes()
    if args.output.is_dir() and target.exists() and target.read_bytes() != data:
        raise PipelineError(
            Code.USAGE,
            "The folder already has another tensor of this name.",
            where=str(target),
            hint="Remove it, or give the name of the file to write.",
        )
    try:
        with atomic_write(target) as part:
            part.write_bytes(data)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the tensor.",
            where=str(target),
            found=error.strerror or str(error),
        ) from None
    print(f"{target}: {len(data)} bytes, {spec}, sha256 {Digest.of_file(target).sha256}")
    return 0


def _option(path: tuple[str, ...]) -> str:
    """Return the option of a key of the table."""
    # The image is a positional argument; if it does not fit, the dims are wrong.
    return {(): "", ("image",): "--dims"}.get(
        path, f"--{path[-1].replace('_', '-')}" if path else ""
    )


def _target(args: argparse.Namespace, spec: Any) -> Path:
    """Return the file to write; raises PipelineError (USAGE) if its name contradicts the tensor."""
    from pipeline.config.case_rules import file_parts
    from pipeline.tensor.spec import file_name, parse_file_name

    output: Path = args.output
    if output.is_dir():
        # Other pictures may have a name with the same letters and digits.
        part = file_parts([args.image.stem])[args.image.stem].lower()
        name: str = file_name(spec, part)
        return output / name
    try:
        declared = parse_file_name(output.name)[2]
    except PipelineError:
        return output
    if (declared.dims, declared.type, declared.colour) != (spec.dims, spec.type, spec.colour):
        raise PipelineError(
            Code.USAGE,
            "The file name does not match the tensor.",
            where=str(output),
            expected=file_name(spec, parse_file_name(output.name)[0]),
            hint="Give a folder to have the file named automatically.",
        )
    return output


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from None


def _span(text: str) -> tuple[int, ...]:
    found = _whole(text)
    if len(found) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form FIRST,END")
    return found


def _colour(text: str) -> tuple[int, ...]:
    found = _whole(text)
    if len(found) != 3 or not all(0 <= part <= 255 for part in found):
        raise argparse.ArgumentTypeError(f"{text!r} is not three numbers from 0 to 255")
    return found


def _whole(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of integers") from None
