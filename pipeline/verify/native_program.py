"""The program of the native check's own process: imports openvino and numpy, nothing of ours."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy
import openvino


def main(order: dict[str, Any]) -> None:
    """Infer once: raw files in by index, raw files out by index."""
    core = openvino.Core()
    model = core.read_model(order["xml"])
    # Some CPUs infer f32 models in bf16 unless told.
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    for index, name in enumerate(order["inputs"]):
        port = compiled.input(index)
        kind = port.element_type.to_dtype()
        data = numpy.frombuffer(Path(name).read_bytes(), dtype=kind)
        request.set_input_tensor(index, openvino.Tensor(data.reshape(tuple(port.shape)).copy()))
    request.infer()
    for index, name in enumerate(order["outputs"]):
        Path(name).write_bytes(request.get_output_tensor(index).data.tobytes())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
