"""The program of a conversion's own process: converts one model's file or folder, and ends."""

import json
import sys
from typing import Any

import openvino
from prepared import checked, prepared


def main(order: dict[str, Any]) -> None:
    """Convert ``order["model"]`` to ``order["xml"]``."""
    wanted = {"output": list(order["outputs"])} if order["outputs"] else {}
    model = openvino.convert_model(order["model"], **wanted)
    names = {name for port in model.inputs for name in port.names}
    inner = [name for name in order["inputs"] if name not in names and name != "*"]
    if inner and (missing := _unknown(order["model"], inner)) is None:
        # All of them are tensors inside of the model, which is cut there.
        model = openvino.convert_model(order["model"], input=list(order["inputs"]), **wanted)
    elif inner:
        sys.exit(f"The model has no input {missing!r}; it has: {', '.join(sorted(names))}.")
    inputs = checked(model, order["inputs"])
    model = prepared(model, inputs, order["outputs"])
    openvino.save_model(model, order["xml"], compress_to_fp16=order["half"])


def _unknown(model: str, names: list[str]) -> str | None:
    """Return the first name that no tensor of the model has."""
    whole = openvino.convert_model(model)
    known = {name for node in whole.get_ops() for port in node.outputs() for name in port.names}
    return next((name for name in names if name not in known), None)


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Whatever its front ends raise; a traceback of theirs helps nobody.
        sys.exit(str(error))
