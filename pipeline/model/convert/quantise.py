"""The steps ``int8`` and ``int4``: post-training quantisation of an IR by NNCF, with its error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.child_python.commands import seeded_command
from pipeline.config.model_tables import Model, Precision
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.process import run_process
from pipeline.model.convert.make_ir import case_shapes, write_aliases
from pipeline.model.convert.ovc import PROGRAMS
from pipeline.model.ir.canonical_xml import canonical_or_refused
from pipeline.model.ir.interface import read_interface
from pipeline.telemetry import private_home
from pipeline.toolchain.environment import python_for

_BETTER = {"int8": "Use more representative calibration tensors", "int4": "Use a group_size of 32"}


def quantise(job: Job) -> None:
    """Recipe: quantise an f32 IR with calibration tensors, or its weights alone to 4 bits.

    Inputs: ``f32.xml`` and ``f32.bin``, ``calibration.<number>.<input>`` (raw tensors), and the
    quantiser's stamp. Outputs: those of an ``ir`` step, and ``quantisation`` (JSON): each output's
    relative L2 error against the f32 IR over all calibration tensors, and of int4 the number of
    weights of each type. Parameters: ``name``, ``model``, ``seconds`` and ``cases``, as for ``ir``.
    Raises PipelineError (MODEL, TOOLCHAIN, TIME_LIMIT), also when the error exceeds the model's
    ``loss``.
    """
    model = convert_value(job.parameters["model"], Model)
    assert model.loss is not None
    name = str(job.parameters["name"])
    folder = job.scratch / "work"
    folder.mkdir()
    for label in ("xml", "bin"):
        shutil.copyfile(job.inputs[f"f32.{label}"], folder / f"f32.{label}")
    samples: dict[str, dict[str, Path]] = {}
    for label, path in sorted(job.inputs.items()):
        kind, _, rest = label.partition(".")
        if kind == "calibration":
            number, _, given = rest.partition(".")
            samples.setdefault(number, {})[given] = path
    request = QuantiseRequest(
        name=name,
        precision=model.precision,
        group_size=model.group_size,
        samples=tuple(samples.values()),
        shapes={given: each.shape for given, each in model.inputs.items()},
        python=python_for(job, "quantiser"),
        seconds=float(str(job.parameters["seconds"])),
    )
    xml, made = quantise_ir(request, folder, model.loss)
    interface = read_interface(xml, model, case_shapes(job))
    job.outputs["interface"].write_bytes(msgspec.json.format(msgspec.json.encode(interface)))
    shutil.copyfile(xml, job.outputs["xml"])
    shutil.copyfile(xml.with_suffix(".bin"), job.outputs["bin"])
    write_aliases(job)
    report: dict[str, object] = {"samples": len(samples), "loss": made.losses}
    if model.precision == "int4":
        report["weights"] = made.weights
    job.outputs["quantisation"].write_text(json.dumps(report, indent=2) + "\n")


@dataclass(frozen=True, kw_only=True)
class QuantiseRequest:
    """A quantisation request: raw tensors by input, their shapes, and the Python with NNCF.

    ``precision`` is int8 or int4; of int4, ``group_size`` weights share a scale, or each row.
    """

    name: str
    precision: Precision
    group_size: int | None
    samples: Sequence[Mapping[str, Path]]
    shapes: Mapping[str, Sequence[int]]
    python: Path
    seconds: float


class QuantiseResult(msgspec.Struct, frozen=True):
    """What NNCF made: each output's relative L2 error, and the number of weights of each type."""

    losses: dict[str, float]
    weights: dict[str, int]


def quantise_ir(request: QuantiseRequest, folder: Path, loss: float) -> tuple[Path, QuantiseResult]:
    """Quantise ``f32.xml`` in ``folder``; return the canonical IR and what was measured of it.

    Raises PipelineError (MODEL, TIME_LIMIT), also when an output's error exceeds ``loss``, and for
    int4 that leaves no weights of 4 bits.
    """
    payload = {
        "precision": request.precision,
        "group_size": request.group_size,
        "samples": [
            {given: str(path.absolute()) for given, path in sample.items()}
            for sample in request.samples
        ],
        "shapes": {given: list(shape) for given, shape in request.shapes.items()},
    }
    finished = run_process(
        seeded_command(PROGRAMS / "quantise_ir.py", json.dumps(payload), python=request.python),
        seconds=request.seconds,
        cwd=folder,
        env=private_home(folder),
    )
    if finished.returncode != 0 or not (folder / "result.json").exists():
        raise PipelineError(
            Code.MODEL,
            f"NNCF could not quantise {request.name} to {request.precision}.",
            found=f"exit status {finished.returncode}",
            hint="See the last lines of its output below.",
            detail=finished.last_lines(),
        )
    xml = folder / f"{request.name}.xml"
    xml.write_bytes(canonical_or_refused((folder / "quantised.xml").read_bytes(), request.name))
    (folder / "quantised.bin").replace(xml.with_suffix(".bin"))
    made = decode_json((folder / "result.json").read_bytes(), QuantiseResult)
    if request.precision == "int4":
        _check_bits(made.weights, request)
    _check_losses(made.losses, loss, request)
    return xml, made


def _check_bits(weights: Mapping[str, int], request: QuantiseRequest) -> None:
    if not {"u4", "i4"} & weights.keys():
        size = request.group_size
        raise PipelineError(
            Code.MODEL,
            f"No layer of {request.name} can have weights of 4 bits.",
            expected="a MatMul with constant weights that is not the last layer"
            + (f", and with rows that groups of {size} or 32 divide" if size else ""),
            found="weights of " + ", ".join(weights),
            hint=("Omit group_size, for one scale per row, or use" if size else "Use")
            + " int8 or f16.",
        )


def _check_losses(losses: Mapping[str, float], loss: float, request: QuantiseRequest) -> None:
    worst = max(losses, key=lambda output: losses[output])
    if not losses[worst] <= loss:
        raise PipelineError(
            Code.MODEL,
            f"The quantisation error of {request.name} exceeds its limit.",
            where=f"output {worst}",
            expected=f"a relative L2 error of at most {loss:g}",
            found=f"{losses[worst]:.4g}",
            hint=f"{_BETTER[request.precision]}, or raise loss if acceptable.",
        )
