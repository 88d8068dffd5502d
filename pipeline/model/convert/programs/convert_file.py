"""Script: convert one model file or folder to IR with OpenVINO."""

import json
import sys
from typing import Any

import openvino
from cut import cut, whole
from preprocessing import checked, prepared


def main(order: dict[str, Any]) -> None:
    """Convert ``order["model"]`` to ``order["xml"]``."""
    model = openvino.convert_model(order["model"])
    border = {name for port in (*model.inputs, *model.outputs) for name in port.names}
    if {*order["inputs"], *order["outputs"]} <= border | {"*"}:
        if order["outputs"]:
            model = cut(model, {}, order["outputs"])
    else:
        model = cut(whole(order["model"]), order["inputs"], order["outputs"])
    inputs = checked(model, order["inputs"])
    model = prepared(model, inputs, order["outputs"])
    openvino.save_model(model, order["xml"], compress_to_fp16=order["half"])


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Front ends raise many types; their traceback is no help.
        sys.exit(str(error))
