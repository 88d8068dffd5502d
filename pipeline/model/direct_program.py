"""The program of a conversion's own process: imports openvino, converts one model, ends."""

import json
import sys
from typing import Any

import openvino
from openvino import Layout, Model, PartialShape
from openvino.preprocess import PrePostProcessor


def main(order: dict[str, Any]) -> None:
    """Convert ``order["model"]`` to ``order["xml"]``."""
    model = openvino.convert_model(order["model"])
    inputs = order["inputs"]
    ports = {name: port for port in model.inputs for name in port.names}
    names = ", ".join(sorted(ports))
    for name in inputs:
        if name not in ports:
            sys.exit(f"The model has no input {name!r}; it has: {names}.")
    if len(inputs) != len(model.inputs):
        sys.exit(f"The config gives {len(inputs)} of {len(model.inputs)} inputs: {names}.")
    for name, given in inputs.items():
        shape = PartialShape(given["shape"])
        if not ports[name].partial_shape.compatible(shape):
            sys.exit(f"Input {name!r} has shape {ports[name].partial_shape}, not {shape}.")
    model.reshape({name: PartialShape(given["shape"]) for name, given in inputs.items()})
    model = _with_mean_and_scale(model, inputs)
    openvino.save_model(model, order["xml"], compress_to_fp16=order["half"])


def _with_mean_and_scale(model: Model, inputs: dict[str, Any]) -> Model:
    changed = {name: given for name, given in inputs.items() if given["mean"] or given["scale"]}
    if not changed:
        return model
    steps = PrePostProcessor(model)
    for name, given in changed.items():
        steps.input(name).model().set_layout(Layout("NC..."))
        if given["mean"]:
            steps.input(name).preprocess().mean(given["mean"])
        if given["scale"]:
            steps.input(name).preprocess().scale(given["scale"])
    return steps.build()


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Whatever its front ends raise; a traceback of theirs helps nobody.
        sys.exit(str(error))
