"""The step ``int8``: post-training quantisation of an IR by NNCF, and what it cost."""

from __future__ import annotations

import json
import shutil

import msgspec

from pipeline.config.model_tables import Model
from pipeline.errors import Code, PipelineError
from pipeline.model.canonical import canonical_xml
from pipeline.model.convert import write_aliases
from pipeline.model.direct import PROGRAMS
from pipeline.model.interface import read_interface
from pipeline.model.private_home import private_home
from pipeline.toolchain.locked import python_for
from pipeline.work.action import Job
from pipeline.work.process import run_process


def quantise(job: Job) -> None:
    """Recipe: quantise an IR of f32, with tensors that show which values are usual.

    Inputs: ``f32.xml`` and ``f32.bin``, ``calibration.<number>.<input>`` (raw tensors), and the
    quantiser's stamp. Outputs: those of an ``ir`` step, and ``quantisation`` (JSON): for each
    output the distance of the two IRs' answers over all calibration tensors, as a share of the
    length of the f32 IR's. Parameters: ``name``, ``model`` and ``seconds``. Raises PipelineError
    (MODEL, TOOLCHAIN, TIME_LIMIT), also when more is lost than the config allows.
    """
    model = msgspec.convert(job.parameters["model"], Model)
    name = str(job.parameters["name"])
    folder = job.scratch / "work"
    folder.mkdir()
    for label in ("xml", "bin"):
        shutil.copyfile(job.inputs[f"f32.{label}"], folder / f"f32.{label}")
    samples: dict[str, dict[str, str]] = {}
    for label, path in sorted(job.inputs.items()):
        kind, _, rest = label.partition(".")
        if kind == "calibration":
            number, _, given = rest.partition(".")
            samples.setdefault(number, {})[given] = str(path.absolute())
    order = {
        "samples": list(samples.values()),
        "shapes": {given: list(each.shape) for given, each in model.inputs.items()},
    }
    finished = run_process(
        [python_for(job, "quantiser"), "-s", PROGRAMS / "quantise_ir.py", json.dumps(order)],
        seconds=float(str(job.parameters["seconds"])),
        cwd=folder,
        env=private_home(folder),
    )
    xml = folder / f"{name}.xml"
    if finished.returncode != 0 or not (folder / "int8.xml").exists():
        raise PipelineError(
            Code.MODEL,
            f"NNCF could not quantise {name}.",
            found=f"exit status {finished.returncode}",
            hint="See its own last lines below.",
            detail=finished.last_lines(),
        )
    xml.write_bytes(canonical_xml((folder / "int8.xml").read_bytes()))
    (folder / "int8.bin").replace(xml.with_suffix(".bin"))
    losses: dict[str, float] = json.loads((folder / "losses.json").read_text())
    _check(losses, model, name)
    interface = read_interface(xml, model)
    job.outputs["interface"].write_bytes(msgspec.json.format(msgspec.json.encode(interface)))
    shutil.copyfile(xml, job.outputs["xml"])
    shutil.copyfile(xml.with_suffix(".bin"), job.outputs["bin"])
    write_aliases(job)
    told = {"samples": len(samples), "loss": losses}
    job.outputs["quantisation"].write_text(json.dumps(told, indent=2) + "\n")


def _check(losses: dict[str, float], model: Model, name: str) -> None:
    assert model.loss is not None
    worst = max(losses, key=lambda output: losses[output])
    if not losses[worst] <= model.loss:
        raise PipelineError(
            Code.MODEL,
            f"Quantising {name} costs more accuracy than the config allows.",
            where=f"output {worst}",
            expected=f"a distance of at most {model.loss:g} of the output's length",
            found=f"{losses[worst]:.4g}",
            hint="Calibrate with more, and more usual, tensors; or raise loss if that is enough.",
        )
