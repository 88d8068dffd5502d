"""`wasi-nn convert --precision int8` and `int4`: quantise an IR, with tensors from files."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path

from pipeline.config.model_tables import LARGEST_GROUP, QUANTISED
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import ProgressCallback

_SECONDS = 3600.0


def check_calibration(args: argparse.Namespace) -> None:
    """Raise PipelineError (USAGE) for what a precision lacks, and options that it does not take."""
    quantises = args.precision in QUANTISED
    if not quantises and args.calibration:
        raise PipelineError(
            Code.USAGE,
            f"--calibration does not apply to {args.precision}.",
            hint="Use --precision int8 or int4, or omit --calibration.",
        )
    if args.precision != "int4" and args.group_size is not None:
        raise PipelineError(
            Code.USAGE,
            f"--group-size does not apply to {args.precision}.",
            hint="Use --precision int4, or omit --group-size.",
        )
    if quantises and not args.calibration:
        raise PipelineError(
            Code.USAGE,
            f"{args.precision} requires calibration tensors.",
            expected="--calibration TENSOR, repeatable",
        )
    if args.group_size is not None and not 2 <= args.group_size <= LARGEST_GROUP:
        raise PipelineError(
            Code.USAGE,
            "--group-size is out of range.",
            where="--group-size",
            expected=f"2 to {LARGEST_GROUP}",
            found=str(args.group_size),
        )
    if quantises and not 0 < args.loss <= 1:
        raise PipelineError(
            Code.USAGE,
            "--loss is out of range.",
            where="--loss",
            expected="greater than 0, at most 1",
            found=f"{args.loss:g}",
        )


def quantised(
    args: argparse.Namespace,
    name: str,
    xml: bytes,
    weights: Path,
    scratch: Path,
    progress: ProgressCallback,
) -> tuple[bytes, Path, Mapping[str, float]]:
    """Quantise an f32 IR; return it and each output's relative error. Raises PipelineError."""
    from pipeline.config.model_tables import Model
    from pipeline.model.convert.quantise import QuantiseRequest, quantise_ir
    from pipeline.model.ir.interface import read_interface
    from pipeline.toolchain.toolchain_python import toolchain_python

    folder = scratch / "quantised"
    folder.mkdir()
    (folder / "f32.xml").write_bytes(xml)
    weights.replace(folder / "f32.bin")
    model = Model(framework="onnx", files={}, inputs={}, precision="f32")
    inputs = read_interface(folder / "f32.xml", model).inputs
    if len(inputs) != 1:
        raise PipelineError(
            Code.USAGE,
            f"--calibration supports one input, and {name} has {len(inputs)}.",
            found=", ".join(port.name for port in inputs),
            hint="Write a config with [calibration.NAME.INPUT] for each.",
        )
    port = inputs[0]
    size = math.prod(port.shape) * ELEMENT_TYPES[port.type].size
    for path in args.calibration:
        if not path.is_file() or path.stat().st_size != size:
            raise PipelineError(
                Code.USAGE,
                "The calibration tensor does not fit the model's input.",
                where=str(path),
                expected=f"{size} bytes: {'x'.join(map(str, port.shape))} of {port.type}",
                found=f"{path.stat().st_size} bytes" if path.is_file() else "no file",
            )
    request = QuantiseRequest(
        name=name,
        precision=args.precision,
        group_size=args.group_size,
        samples=[{port.name: path} for path in args.calibration],
        shapes={port.name: port.shape},
        python=toolchain_python("nncf", scratch, progress),
        seconds=_SECONDS,
    )
    progress("quantising")
    pair, made = quantise_ir(request, folder, args.loss)
    return pair.read_bytes(), pair.with_suffix(".bin"), made.losses
