"""Script: convert one model file or folder to IR with OpenVINO."""

import json
import sys
from typing import Any

import openvino
from cut import cut, whole
from preprocessing import checked, prepared
from read_network import read_network


def main(payload: dict[str, Any]) -> None:
    """Convert ``order["model"]`` to ``order["xml"]``."""
    model = read_network(payload["model"])
    names = {name for port in (*model.inputs, *model.outputs) for name in port.names}
    if {*payload["inputs"], *payload["outputs"]} <= names | {"*"}:
        if payload["outputs"]:
            model = cut(model, {}, payload["outputs"])
    elif payload["model"].endswith(".xml"):
        model = cut(model, payload["inputs"], payload["outputs"])
    else:
        model = cut(whole(payload["model"]), payload["inputs"], payload["outputs"])
    inputs = checked(model, payload["inputs"])
    model = prepared(model, inputs, payload["outputs"])
    openvino.save_model(model, payload["xml"], compress_to_fp16=payload["half"])


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Front ends raise many types; their traceback is no help.
        sys.exit(str(error))
