"""The program of the native check's own process: imports openvino and numpy, nothing of ours."""

import json
import math
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy

# The package by which OpenVINO reports that it was imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # Python's "there is none"

import openvino  # noqa: E402 - after that


def main(job: dict[str, Any]) -> None:
    """Infer ``count`` times: raw files in by index, raw files out by index."""
    core = openvino.Core()
    model = core.read_model(job["xml"])
    # Some CPUs infer f32 models in bf16 by default, or round activations to 8 bits.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
    compiled = core.compile_model(model, "CPU", exact)
    request = compiled.create_infer_request()
    with ExitStack() as stack:
        given = [stack.enter_context(Path(name).open("rb")) for name in job["inputs"]]
        made = [stack.enter_context(Path(name).open("wb")) for name in job["outputs"]]
        for _ in range(job["count"]):
            for index, stream in enumerate(given):
                kind = numpy.dtype(compiled.input(index).element_type.to_dtype())
                shape = job["shapes"][index]
                data = stream.read(math.prod(shape) * kind.itemsize)
                array = numpy.frombuffer(data, dtype=kind).reshape(shape).copy()
                request.set_input_tensor(index, openvino.Tensor(array))
            request.infer()
            for index, output in enumerate(made):
                output.write(request.get_output_tensor(index).data.tobytes())
        if any(stream.read(1) for stream in given):
            raise ValueError("an input file is longer than its tensors")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
