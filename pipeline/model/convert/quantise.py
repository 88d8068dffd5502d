"""The step ``int8``: post-training quantisation of an IR by NNCF, with its error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.child_python.commands import seeded_command
from pipeline.config.model_tables import Model
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.execution.process import run_process
from pipeline.model.convert.make_ir import case_shapes, write_aliases
from pipeline.model.convert.ovc import PROGRAMS
from pipeline.model.ir.canonical_xml import canonical_or_refused
from pipeline.model.ir.interface import read_interface
from pipeline.telemetry import private_home
from pipeline.toolchain.environment import python_for


def quantise(job: Job) -> None:
    """Recipe: quantise an f32 IR with calibration tensors.

    Inputs: ``f32.xml`` and ``f32.bin``, ``calibration.<number>.<input>`` (raw tensors), and the
    quantiser's stamp. Outputs: those of an ``ir`` step, and ``quantisation`` (JSON): each output's
    relative L2 error against the f32 IR over all calibration tensors. Parameters: ``name``,
    ``model``, ``seconds`` and ``cases``, as for ``ir``. Raises PipelineError (MODEL,
    TOOLCHAIN, TIME_LIMIT), also when the error exceeds the model's ``loss``.
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
        samples=tuple(samples.values()),
        shapes={given: each.shape for given, each in model.inputs.items()},
        python=python_for(job, "quantiser"),
        seconds=float(str(job.parameters["seconds"])),
    )
    xml, losses = quantise_ir(request, folder, model.loss)
    interface = read_interface(xml, model, case_shapes(job))
    job.outputs["interface"].write_bytes(msgspec.json.format(msgspec.json.encode(interface)))
    shutil.copyfile(xml, job.outputs["xml"])
    shutil.copyfile(xml.with_suffix(".bin"), job.outputs["bin"])
    write_aliases(job)
    report = {"samples": len(samples), "loss": losses}
    job.outputs["quantisation"].write_text(json.dumps(report, indent=2) + "\n")


@dataclass(frozen=True, kw_only=True)
class QuantiseRequest:
    """A quantisation request: raw tensors by input, their shapes, and the Python with NNCF."""

    name: str
    samples: Sequence[Mapping[str, Path]]
    shapes: Mapping[str, Sequence[int]]
    python: Path
    seconds: float


def quantise_ir(
    request: QuantiseRequest, folder: Path, loss: float
) -> tuple[Path, Mapping[str, float]]:
    """Quantise ``f32.xml`` in ``folder``; return the canonical IR and each output's error.

    Raises PipelineError (MODEL, TIME_LIMIT), also when an output's error exceeds ``loss``.
    """
    payload = {
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
    if finished.returncode != 0 or not (folder / "int8.xml").exists():
        raise PipelineError(
            Code.MODEL,
            f"NNCF could not quantise {request.name}.",
            found=f"exit status {finished.returncode}",
            hint="See the last lines of its output below.",
            detail=finished.last_lines(),
        )
    xml = folder / f"{request.name}.xml"
    xml.write_bytes(canonical_or_refused((folder / "int8.xml").read_bytes(), request.name))
    (folder / "int8.bin").replace(xml.with_suffix(".bin"))
    losses: dict[str, float] = json.loads((folder / "losses.json").read_text())
    _check(losses, loss, request.name)
    return xml, losses


def _check(losses: Mapping[str, float], loss: float, name: str) -> None:
    worst = max(losses, key=lambda output: losses[output])
    if not losses[worst] <= loss:
        raise PipelineError(
            Code.MODEL,
            f"The quantisation error of {name} exceeds its limit.",
            where=f"output {worst}",
            expected=f"a relative L2 error of at most {loss:g}",
            found=f"{losses[worst]:.4g}",
            hint="Use more representative calibration tensors, or raise loss if acceptable.",
        )
