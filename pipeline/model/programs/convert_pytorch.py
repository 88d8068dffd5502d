"""The program of a PyTorch conversion's own process: needs torch and openvino beside each other."""

import json
import sys
from typing import Any

import openvino
import torch
from prepared import checked, prepared
from torch_module import load


def main(order: dict[str, Any]) -> None:
    """Convert the module of ``order["files"]`` to ``order["xml"]``."""
    torch.manual_seed(0)
    module = load(order["files"], order["architecture"])
    examples = [
        torch.zeros(given["shape"], dtype=_DTYPES[given["type"] or "f32"])
        for given in order["inputs"].values()
    ]
    model = openvino.convert_model(module, example_input=tuple(examples))
    for port, name in zip(model.outputs, order["outputs"], strict=False):
        port.get_tensor().set_names({name})
    checked(model, order["inputs"])
    model = prepared(model, order["inputs"], order["outputs"])
    openvino.save_model(model, order["xml"], compress_to_fp16=order["half"])


_DTYPES = {
    "f16": torch.float16,
    "f32": torch.float32,
    "f64": torch.float64,
    "u8": torch.uint8,
    "i8": torch.int8,
    "i32": torch.int32,
    "i64": torch.int64,
}

if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Whatever torch or the front end raises.
        sys.exit(str(error))
