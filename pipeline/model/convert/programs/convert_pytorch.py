"""Script: convert a PyTorch module to IR; requires torch and openvino in one environment."""

import json
import sys
from typing import Any

import openvino
import torch
from preprocessing import checked, prepared
from torch_module import load


def main(payload: dict[str, Any]) -> None:
    """Convert the module of ``order["files"]`` to ``order["xml"]``."""
    if "exported" in payload["files"]:
        model = openvino.convert_model(torch.export.load(payload["files"]["exported"]))
    else:
        module = load(payload["files"], payload["architecture"], payload["seed"])
        model = openvino.convert_model(module, example_input=_examples(payload["inputs"]))
    for kind, ports, names in (
        ("inputs", model.inputs, payload["inputs"]),
        ("outputs", model.outputs, payload["outputs"]),
    ):
        if len(names) > len(ports):
            sys.exit(f"The module has {len(ports)} {kind}, but the config names {len(names)}.")
    # Arguments and results are positional; the names from a trace are only counters.
    for ports, names in ((model.inputs, payload["inputs"]), (model.outputs, payload["outputs"])):
        for port, name in zip(ports, names, strict=False):
            port.get_tensor().set_names({name})
    inputs = checked(model, payload["inputs"])
    model = prepared(model, inputs, payload["outputs"])
    openvino.save_model(model, payload["xml"], compress_to_fp16=payload["half"])


def _examples(inputs: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        torch.zeros(given["shape"], dtype=_DTYPES[given["type"] or "f32"])
        for given in inputs.values()
    )


_DTYPES = {
    "f16": torch.float16,
    "f32": torch.float32,
    "f64": torch.float64,
    "u8": torch.uint8,
    "i32": torch.int32,
    "i64": torch.int64,
}

if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # torch and the front end raise many types.
        sys.exit(str(error))
