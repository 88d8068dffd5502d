"""The inputs of `wasi-nn convert`: their shapes, and preprocessing inside the IR."""

from __future__ import annotations

import argparse
import re

import msgspec

from pipeline.config.model_tables import ModelInput
from pipeline.errors import Code, PipelineError

_LARGEST = 3.4028234663852886e38
_INPUT = re.compile(r"\s*(?P<name>[^\[\]]+?)??\s*(?:\[(?P<shape>[^\[\]]*)\]\s*)?")
# A size, a range of sizes, or any size.
_SIZE = re.compile(r"(?P<any>\?|-1)|(?P<low>\d+)?(?P<range>\.\.)?(?P<high>\d+)?")
# The upper bound of an axis without one, as OpenVINO has it.
OPEN = -1
_SIDE = 64
Sizes = tuple[tuple[int, int], ...]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME[SHAPE]",
        help="an input and its shape, such as 'data[1,3,227,227]' or 'x[?,3,64..512,-1]'; "
        "repeatable (default: the model's own, with its dynamic sizes)",
    )
    parser.add_argument(
        "--mean",
        type=_numbers,
        default=(),
        metavar="M,…",
        help="subtract from each channel; one value for all, or one for each",
    )
    parser.add_argument(
        "--scale",
        type=_divisors,
        default=(),
        metavar="S,…",
        help="divide each channel by this; one value for all, or one for each",
    )
    parser.add_argument(
        "--reverse-channels", action="store_true", help="swap RGB and BGR, before mean and scale"
    )
    parser.add_argument(
        "--layout",
        type=_layout,
        metavar="NHWC",
        help="axis order of the model's input, for --mean, --scale and --reverse-channels "
        "(default: the usual one that fits the number of channels)",
    )


def declared_inputs(args: argparse.Namespace) -> dict[str, ModelInput]:
    """Return the inputs of --input; '*' is the model's only input, given without a name."""
    given: dict[str, Sizes] = {}
    for text in args.input:
        found = _INPUT.fullmatch(text)
        sizes = _sizes(found["shape"]) if found and text.strip() else None
        if found is None or sizes is None:
            raise PipelineError(
                Code.USAGE,
                "Invalid --input.",
                where=f"--input {text}",
                expected="NAME[SHAPE], such as 'data[1,3,227,227]'; dynamic: ?, -1, 1..8",
            )
        given[found["name"] or "*"] = sizes
    treated = bool(args.mean or args.scale or args.reverse_channels)
    if treated and not given:
        given["*"] = ()
    if treated and len(given) > 1:
        raise PipelineError(
            Code.USAGE,
            "--mean, --scale and --reverse-channels need a model with one input.",
            hint="Write a config for a model with several inputs.",
        )
    for name, sizes in given.items():
        if not sizes and name != "*":
            raise PipelineError(
                Code.USAGE,
                f"The input {name!r} has no shape.",
                expected=f"--input '{name}[1,3,224,224]', with your sizes",
            )
    if args.layout and not treated:
        raise PipelineError(
            Code.USAGE, "--layout applies to --mean, --scale and --reverse-channels only."
        )
    return {name: _input(args, name, sizes) for name, sizes in given.items()}


def _sizes(text: str | None) -> Sizes | None:
    """Return the bounds of each size in a text, None if it is none.

    >>> _sizes("1, ?, -1, 1..8, 4.., ..9")
    ((1, 1), (0, -1), (0, -1), (1, 8), (4, -1), (0, 9))
    """
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        size = _SIZE.fullmatch(part.strip())
        if size is None or not part.strip():
            return None
        low, high = size["low"], size["high"]
        if size["any"] or (size["range"] and not (low or high)):
            found.append((0, OPEN))
        elif size["range"]:
            found.append((int(low or 0), int(high) if high else OPEN))
        else:
            found.append((int(part), int(part)))
    return tuple(found)


def _example(axis: int, low: int, high: int) -> int:
    """Return a size of an axis that may be dynamic, for tracing and checks."""
    usual = 1 if axis == 0 else _SIDE
    return max(low, usual if high == OPEN else min(usual, high)) if low != high else low


def _input(args: argparse.Namespace, name: str, sizes: Sizes) -> ModelInput:
    """Return an input with its preprocessing; without a shape, the converter finds the layout."""
    from pipeline.model.convert.programs.channel_layout import channel_layout

    shape = tuple(_example(axis, low, high) for axis, (low, high) in enumerate(sizes))
    where = f"--input {name}[{','.join(map(_shown, sizes))}]"
    layout, mean, scale = args.layout, args.mean, args.scale
    counts = {len(values) for values in (mean, scale)} - {0, 1}
    if shape and not layout and (counts or args.reverse_channels):
        try:
            found = channel_layout(shape, 3 if args.reverse_channels else min(counts))
        except ValueError as error:
            raise PipelineError(
                Code.USAGE,
                str(error),
                where=where,
                hint="Check the number of values, or give the order of the axes with --layout.",
            ) from None
        layout = None if found.startswith("NC") else found
    if shape and len(shape) > 1:
        axis = layout.index("C") if layout and len(layout) == len(shape) else 1
        # A config needs one for each channel.
        mean, scale = (
            values * shape[axis] if len(values) == 1 else values for values in (mean, scale)
        )
    given = ModelInput(
        shape=shape,
        model_layout=layout,
        mean=mean,
        scale=scale,
        reverse_channels=args.reverse_channels,
    )
    # Without a shape, the converter knows that of the only input.
    if shape:
        _check_input(where, given, sizes)
    if any(low != high for low, high in sizes):
        given = msgspec.structs.replace(given, bounds=sizes)
    return given


def _shown(size: tuple[int, int]) -> str:
    low, high = size
    if low == high:
        return str(low)
    return "?" if size == (0, OPEN) else f"{low or ''}..{'' if high == OPEN else high}"


def _check_input(where: str, given: ModelInput, sizes: Sizes) -> None:
    from pipeline.config.input_rules import check_input
    from pipeline.config.mistake import KnownNames, Mistake

    findings = list(check_input((), given, KnownNames()))
    if any(high == 0 for _, high in sizes):
        findings.append(Mistake((), "The shape has an axis of size 0.", "sizes of at least 1"))
    if any(low > high != OPEN for low, high in sizes):
        findings.append(Mistake((), "A range of sizes is empty.", "such as 1..8"))
    for finding in findings:
        raise PipelineError(
            Code.USAGE,
            finding.message,
            where=where,
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.strip("[]").split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers") from None
    if not all(abs(number) <= _LARGEST for number in found):
        raise argparse.ArgumentTypeError(f"{text!r} has a number outside the range of f32")
    return found


def _layout(text: str) -> str:
    known = set(text) <= set("NCDHW") and len(set(text)) == len(text) > 1 and "C" in text
    if not known:
        raise argparse.ArgumentTypeError(f"{text!r} is not an order of axes such as NHWC")
    return text


def _divisors(text: str) -> tuple[float, ...]:
    found = _numbers(text)
    if not all(number > 0 for number in found):
        raise argparse.ArgumentTypeError(f"{text!r} has a number that is not positive")
    return found
