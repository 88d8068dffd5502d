"""`wasi-nn convert`: convert a model to OpenVINO IR without a config."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pipeline.cli.verbosity import add_verbosity, show_progress
from pipeline.config.model_tables import Framework, Model, ModelInput
from pipeline.errors import Code, PipelineError, printable
from pipeline.model.inspect.model_files import model_files
from pipeline.toolchain.toolchain_python import toolchain_python

_SECONDS = 3600.0
_LARGEST = 3.4028234663852886e38
_EPILOG = """\
example:
  wasi-nn convert net.caffemodel net.prototxt -o out --precision f32 --mean 104,117,123
  wasi-nn convert net.onnx -o out --input 'x[1,3,224,224]'
  wasi-nn convert net.onnx -o out --precision int8 --calibration cat.bgr --calibration dog.bgr

  writes out/net.xml and out/net.bin. Supported: Caffe (.caffemodel .prototxt), Kaldi, MXNet
  (.params .json), ONNX, Paddle (.pdmodel .pdiparams), PyTorch (TorchScript, an exported program, or
  a state dict with --architecture), TensorFlow (a frozen graph, or a SavedModel's folder) and
  TFLite. External data of an ONNX model is looked up beside it.
"""
_INPUT = re.compile(r"(?P<name>[^\[\]]+?)?(?:\[(?P<shape>\d+(?:,\d+)*)\])?")


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "convert",
        help="convert a model to OpenVINO IR",
        description="Converts a model to OpenVINO IR, with the same bytes on every machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", nargs="+", type=Path, help="files of the model, or its folder")
    parser.add_argument("-o", "--output", required=True, type=Path, help="folder to write to")
    parser.add_argument("--name", help="name of the IR (default: that of the first file)")
    parser.add_argument(
        "--framework", choices=get_args(Framework), help="the model's framework (default: detected)"
    )
    parser.add_argument(
        "--architecture",
        metavar="NAME",
        help="module of a PyTorch state dict: mobilenet_v2, or package.module:callable",
    )
    parser.add_argument(
        "--signature",
        metavar="NAME",
        help="signature of a TFLite file or SavedModel (default: the only one, or serving_default)",
    )
    parser.add_argument(
        "--precision",
        choices=("f32", "f16", "int8"),
        default="f32",
        help="weight precision (default: f32)",
    )
    parser.add_argument(
        "--calibration",
        action="append",
        default=[],
        type=Path,
        metavar="TENSOR",
        help="for int8: a raw tensor for the model's only input; repeatable",
    )
    parser.add_argument(
        "--loss",
        type=float,
        default=0.1,
        help="for int8: maximum relative L2 error of an output (default: 0.1)",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME[SHAPE]",
        help="an input and its shape, such as 'data[1,3,227,227]'; repeatable",
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
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_verbosity(parser, "show errors only")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Convert, write the IR and print its digests; raises PipelineError."""
    from pipeline.cache.atomic import atomic_write
    from pipeline.cache.objects import copy
    from pipeline.cli.convert_int8 import check_calibration, quantised
    from pipeline.model.convert.make_ir import TOOLCHAINS, make_ir
    from pipeline.model.convert.request import Request
    from pipeline.model.ir.canonical_digest import canonical_digest
    from pipeline.model.ir.weights import clamped_weights, weights_precision

    check_calibration(args)
    framework, files = model_files(args.model, args.framework)
    _check_architecture(args, files)
    if args.signature and framework not in ("tflite", "tensorflow"):
        raise PipelineError(
            Code.USAGE,
            "--signature applies to TFLite files and SavedModels only.",
            hint="Omit --signature.",
        )
    name = args.name or args.model[0].stem
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise PipelineError(
            Code.USAGE, "Invalid file name for the IR.", where=name, hint="Give one with --name."
        )
    with (
        tempfile.TemporaryDirectory(prefix="wasi-nn-") as temporary,
        show_progress(args, name) as progress,
    ):
        scratch = Path(temporary)
        progress(f"{framework} to OpenVINO IR, {args.precision}")
        request = Request(
            name=name,
            model=Model(
                framework=framework,
                files={label: label for label in files},
                inputs=_inputs(args),
                architecture=args.architecture,
                signature=args.signature,
                precision="f16" if args.precision == "f16" else "f32",
            ),
            files=files,
            python=toolchain_python(TOOLCHAINS.get(framework), scratch, progress),
            seconds=_SECONDS,
        )
        folder = scratch / "work"
        folder.mkdir()
        xml, weights = make_ir(request, folder)
        losses: Mapping[str, float] = {}
        if args.precision == "int8":
            xml, weights, losses = quantised(args, name, xml, weights, scratch, progress)
        canonical = canonical_digest(xml, weights)
        half = args.precision == "f16"
        clamped = clamped_weights(xml, weights) if half else {}
        # What the .bin holds: a model may have f16 weights itself.
        precision = "int8" if args.precision == "int8" else weights_precision(xml)
        written = {end: args.output / f"{name}.{end}" for end in ("xml", "bin")}
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            with atomic_write(written["bin"]) as part:
                copy(weights, part)
            with atomic_write(written["xml"]) as part:
                part.write_bytes(xml)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "Cannot write the IR.",
                where=str(args.output),
                found=error.strerror or str(error),
            ) from None
    found = {
        "framework": framework,
        "precision": precision,
        **{end: _identity(path) for end, path in written.items()},
        "canonical digest": canonical,
        **({"clamped": {name: list(each) for name, each in clamped.items()}} if clamped else {}),
        **({"loss": losses} if losses else {}),
    }
    for layer, (many, count) in clamped.items():
        print(
            f"warning: {many} of {count} weights of {printable(layer)} are beyond f16, and were "
            "clamped to ±65504; use --precision f32",
            file=sys.stderr,
        )
    if args.json or not args.quiet:
        _show(found, as_json=args.json)
    return 0


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    xml = found["xml"]["path"]
    weights = f"weights in {found['precision']}" if found["precision"] else "no weights"
    print(f"{xml} and .bin, from {found['framework']}, {weights}")
    for output, loss in found.get("loss", {}).items():
        print(f"relative L2 error of {output} on the calibration tensors: {loss:.4g}")
    print(f"canonical digest {found['canonical digest']}")


def _identity(path: Path) -> dict[str, object]:
    from pipeline.cache.digest import Digest

    digest = Digest.of_file(path)
    return {"path": str(path), "size": digest.size, "sha256": digest.sha256}


def _check_architecture(args: argparse.Namespace, files: Mapping[str, Path]) -> None:
    needed = "weights" in files and "topology" not in files
    if needed and args.architecture is None:
        raise PipelineError(
            Code.USAGE,
            "The PyTorch file holds only weights, and no architecture is given.",
            where=str(args.model[0]),
            expected="--architecture mobilenet_v2, or package.module:callable",
            hint="Name the module of the weights, or save the model as TorchScript.",
        )
    if not needed and args.architecture is not None:
        raise PipelineError(
            Code.USAGE,
            "--architecture needs a PyTorch state dict, and the model is not one.",
            hint="Omit --architecture.",
        )


def _inputs(args: argparse.Namespace) -> dict[str, ModelInput]:
    """Return the inputs of --input; '*' is the model's only input, given without a name."""
    given: dict[str, tuple[int, ...]] = {}
    for text in args.input:
        found = _INPUT.fullmatch(text.strip())
        if found is None or not text.strip():
            raise PipelineError(
                Code.USAGE,
                "Invalid --input.",
                where=f"--input {text}",
                expected="NAME[SHAPE], such as 'data[1,3,227,227]'",
            )
        shape = tuple(int(size) for size in (found["shape"] or "").split(",") if size)
        given[(found["name"] or "*").strip()] = shape
    treated = bool(args.mean or args.scale or args.reverse_channels)
    if treated and not given:
        given["*"] = ()
    if treated and len(given) > 1:
        raise PipelineError(
            Code.USAGE,
            "--mean, --scale and --reverse-channels need a model with one input.",
            hint="Write a config for a model with several inputs.",
        )
    for name, shape in given.items():
        if not shape and name != "*":
            raise PipelineError(
                Code.USAGE,
                f"The input {name!r} has no shape.",
                expected=f"--input '{name}[1,3,224,224]', with your sizes",
            )
    if args.layout and not treated:
        raise PipelineError(
            Code.USAGE, "--layout applies to --mean, --scale and --reverse-channels only."
        )
    inputs = {name: _input(args, name, shape) for name, shape in given.items()}
    for name, each in inputs.items():
        # Without a shape, the converter knows that of the only input.
        if each.shape:
            _check_input(name, each)
    return inputs


def _input(args: argparse.Namespace, name: str, shape: tuple[int, ...]) -> ModelInput:
    """Return an input with its preprocessing; without a shape, the converter finds the layout."""
    from pipeline.model.convert.programs.channel_layout import channel_layout

    layout, mean, scale = args.layout, args.mean, args.scale
    counts = {len(values) for values in (mean, scale)} - {0, 1}
    if shape and not layout and (counts or args.reverse_channels):
        try:
            found = channel_layout(shape, 3 if args.reverse_channels else min(counts))
        except ValueError as error:
            raise PipelineError(
                Code.USAGE,
                str(error),
                where=f"--input {name}[{','.join(map(str, shape))}]",
                hint="Check the number of values, or give the order of the axes with --layout.",
            ) from None
        layout = None if found.startswith("NC") else found
    if shape and len(shape) > 1:
        axis = layout.index("C") if layout and len(layout) == len(shape) else 1
        # A config needs one for each channel.
        mean, scale = (
            values * shape[axis] if len(values) == 1 else values for values in (mean, scale)
        )
    return ModelInput(
        shape=shape,
        model_layout=layout,
        mean=mean,
        scale=scale,
        reverse_channels=args.reverse_channels,
    )


def _check_input(name: str, given: ModelInput) -> None:
    from pipeline.config.input_rules import check_input
    from pipeline.config.mistake import KnownNames, Mistake

    findings = list(check_input((), given, KnownNames()))
    if 0 in given.shape:
        findings.append(Mistake((), "The shape has an axis of size 0.", "sizes of at least 1"))
    for finding in findings:
        raise PipelineError(
            Code.USAGE,
            finding.message,
            where=f"--input {name}[{','.join(map(str, given.shape))}]",
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
