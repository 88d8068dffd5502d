"""`wasi-nn convert`: convert a model to OpenVINO IR without a config."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pipeline.cli.convert_check import add_check, as_json, check, disagreement, line
from pipeline.cli.convert_inputs import add_inputs, declared_inputs
from pipeline.cli.source_options import add_source_options
from pipeline.cli.verbosity import add_verbosity, show_progress
from pipeline.config.model_tables import QUANTISED, Model, Precision
from pipeline.errors import Code, PipelineError, printable
from pipeline.model.inspect.model_files import model_files
from pipeline.scratch import scratch_folder
from pipeline.toolchain.toolchain_python import toolchain_python

_SECONDS = 3600.0
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
    add_source_options(parser)
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="f32",
        help="weight precision (default: f32)",
    )
    parser.add_argument(
        "--calibration",
        action="append",
        default=[],
        type=Path,
        metavar="TENSOR",
        help="for int8 and int4: a raw tensor for the model's only input; repeatable",
    )
    parser.add_argument(
        "--loss",
        type=float,
        default=0.1,
        help="for int8 and int4: maximum relative L2 error of an output (default: 0.1)",
    )
    parser.add_argument(
        "--group-size",
        type=int,
        metavar="N",
        help="for int4: how many weights of a row share a scale, such as 32 or 128 (default: all)",
    )
    add_inputs(parser)
    add_check(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_verbosity(parser, "show errors and warnings only")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Convert, write the IR and print its digests; raises PipelineError."""
    from pipeline.cache.atomic import atomic_write
    from pipeline.cache.objects import copy
    from pipeline.cli.convert_quantised import check_calibration, quantised
    from pipeline.cli.extras import require
    from pipeline.model.convert.make_ir import TOOLCHAINS, make_ir
    from pipeline.model.convert.request import Request
    from pipeline.model.convert.signatures import check_signature
    from pipeline.model.ir.canonical_digest import canonical_digest
    from pipeline.model.ir.weights import clamped_weights, weights_precision

    require("convert")
    check_calibration(args)
    framework, files = model_files(args.model, args.framework)
    _check_architecture(args, files)
    check_signature(framework, files, args.signature)
    name = args.name or args.model[0].stem
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise PipelineError(
            Code.USAGE, "Invalid file name for the IR.", where=name, hint="Give one with --name."
        )
    with (
        scratch_folder() as scratch,
        show_progress(args, name) as progress,
    ):
        progress(f"{framework} to OpenVINO IR, {args.precision}")
        request = Request(
            name=name,
            model=Model(
                framework=framework,
                files={label: label for label in files},
                inputs=declared_inputs(args),
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
        checked, wrong = None, None
        if not args.no_check:
            pair = weights.with_suffix(".xml")
            pair.write_bytes(xml)
            checked = check(request, pair, scratch, progress, keep=args.keep)
            wrong = disagreement(checked, request)
            if wrong and not args.keep:
                raise wrong
        losses: Mapping[str, float] = {}
        if args.precision in QUANTISED:
            xml, weights, losses = quantised(args, name, xml, weights, scratch, progress)
        canonical = canonical_digest(xml, weights)
        half = args.precision == "f16"
        clamped = clamped_weights(xml, weights) if half else {}
        # What the .bin holds: a model may have f16 weights itself.
        precision = args.precision if args.precision in QUANTISED else weights_precision(xml)
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
        **({"check": as_json(checked)} if checked else {}),
    }
    for layer, (many, count) in clamped.items():
        print(
            f"warning: {many} of {count} weights of {printable(layer)} are beyond f16, and were "
            "clamped to ±65504; use --precision f32",
            file=sys.stderr,
        )
    if wrong:
        print(f"warning: {wrong.message} {wrong.found}", file=sys.stderr)
    elif checked and checked.golden is None:
        print(f"warning: {line(checked)}", file=sys.stderr)
    if args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif not args.quiet:
        _show(found)
        if checked and checked.golden:
            print(line(checked))
    return 0


def _show(found: Mapping[str, Any]) -> None:
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
    needed = set(files) == {"weights"}
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
