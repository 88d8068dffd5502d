"""Script: quantise an IR to int8 with NNCF, or its weights to 4 bits."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import nncf
import numpy
import openvino

# Other constants are shapes and indices.
_WEIGHTS = ("u4", "i4", "u8", "i8", "f16", "bf16", "f32", "f64")


def main(payload: dict[str, Any]) -> None:
    """Quantise ``f32.xml`` to ``quantised.xml`` and write ``result.json``."""
    core = openvino.Core()
    model = core.read_model("f32.xml")
    samples = [_sample(model, each, payload["shapes"]) for each in payload["samples"]]
    if payload["precision"] == "int4":
        quantised = _compressed(model, payload["group_size"])
    else:
        quantised = nncf.quantize(model, nncf.Dataset(samples), subset_size=len(samples))
    openvino.save_model(quantised, "quantised.xml", compress_to_fp16=False)
    result = {"losses": _losses(core, samples), "weights": _weights(quantised)}
    Path("result.json").write_text(json.dumps(result))


def _compressed(model: Any, group_size: int | None) -> Any:
    """Return a model with weights of 4 bits; the rest that NNCF compresses has 8, as its default.

    Rows that ``group_size`` does not divide have smaller groups, of 32 at least, or 8 bits.
    """
    return nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode.INT4_ASYM,
        ratio=1.0,
        group_size=group_size or -1,
        advanced_parameters=nncf.AdvancedCompressionParameters(
            group_size_fallback_mode=nncf.GroupSizeFallbackMode.ADJUST
        ),
    )


def _weights(model: Any) -> dict[str, int]:
    """Return how many elements the constants of each type have, the most first."""
    counts: Counter[str] = Counter()
    for node in model.get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_element_type().get_type_name()
            counts[kind] += math.prod(node.get_output_shape(0)) if kind in _WEIGHTS else 0
    return dict((+counts).most_common())


def _sample(model: Any, files: dict[str, str], shapes: dict[str, list[int]]) -> dict[str, Any]:
    found = {}
    for name, path in files.items():
        kind = model.input(name).element_type.to_dtype()
        found[name] = numpy.fromfile(path, kind).reshape(shapes[name])
    return found


def _losses(core: Any, samples: list[dict[str, Any]]) -> dict[str, float]:
    """Return each output's relative L2 error |quantised - f32| / |f32| over all samples."""
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    ours, theirs = (
        core.compile_model(core.read_model(name), "CPU", exact)
        for name in ("quantised.xml", "f32.xml")
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
