"""Script: quantise an IR to int8 with NNCF."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nncf
import numpy
import openvino


def main(payload: dict[str, Any]) -> None:
    """Quantise ``f32.xml`` to ``int8.xml`` and write ``losses.json``."""
    core = openvino.Core()
    model = core.read_model("f32.xml")
    samples = [_sample(model, each, payload["shapes"]) for each in payload["samples"]]
    quantised = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
    openvino.save_model(quantised, "int8.xml", compress_to_fp16=False)
    Path("losses.json").write_text(json.dumps(_losses(core, samples)))


def _sample(model: Any, files: dict[str, str], shapes: dict[str, list[int]]) -> dict[str, Any]:
    found = {}
    for name, path in files.items():
        kind = model.input(name).element_type.to_dtype()
        found[name] = numpy.fromfile(path, kind).reshape(shapes[name])
    return found


def _losses(core: Any, samples: list[dict[str, Any]]) -> dict[str, float]:
    """Return each output's relative L2 error |int8 - f32| / |f32| over all samples."""
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    ours, theirs = (
        core.compile_model(core.read_model(name), "CPU", exact) for name in ("int8.xml", "f32.xml")
    )
    apart = [0.0] * len(theirs.outputs)
    length = [0.0] * len(theirs.outputs)
    for sample in samples:
        answers = ours(sample), theirs(sample)
        for index in range(len(apart)):
            one, other = (answer[index].astype(numpy.float64) for answer in answers)
            apart[index] += float(((one - other) ** 2).sum())
            length[index] += float((other**2).sum())
    names = [min(port.names, default=str(index)) for index, port in enumerate(theirs.outputs)]
    return {
        name: (far / whole) ** 0.5 if whole else float(far > 0)
        for name, far, whole in zip(names, apart, length)  # noqa: B905 - Python 3.9
    }


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # NNCF raises many types; its traceback is no help.
        sys.exit(str(error)[-2000:] or type(error).__name__)
