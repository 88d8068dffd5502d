"""Apply a config's inputs and outputs to a model with OpenVINO's PrePostProcessor.

Same order as Model Optimizer: reverse channels, then mean, then scale.
"""

import sys
from typing import Any

from channel_layout import channel_layout
from openvino import Dimension, Layout, Model, PartialShape, Type
from openvino import opset8 as opset
from openvino.preprocess import PrePostProcessor

_TYPES = {
    "f16": Type.f16,
    "f32": Type.f32,
    "f64": Type.f64,
    "u8": Type.u8,
    "i32": Type.i32,
    "i64": Type.i64,
}
_CHANGES = ("type", "layout", "mean", "scale", "reverse_channels")


def checked(model: Model, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs by the model's names; exit with one line if they do not match.

    Without any, the model's own are used; '*' is its only one.
    """
    ports = {name: port for port in model.inputs for name in port.names}
    names = ", ".join(sorted(ports))
    if not inputs:
        return inputs
    if "*" in inputs:
        if len(model.inputs) > 1:
            sys.exit(f"The model has {len(model.inputs)} inputs, which must be named: {names}.")
        [port] = model.inputs
        given = inputs["*"] if inputs["*"]["shape"] else {**inputs["*"], **_own_shape(port)}
        inputs = {port.any_name: _with_layout(port.any_name, given)}
    for name in inputs:
        if name not in ports:
            sys.exit(f"The model has no input {name!r}; it has: {names}.")
    if len(inputs) != len(model.inputs):
        sys.exit(f"The config declares {len(inputs)} of {len(model.inputs)} inputs: {names}.")
    _widen(model, inputs)
    ports = {name: port for port in model.inputs for name in port.names}
    for name, given in inputs.items():
        shape = _model_shape(given)
        if not ports[name].partial_shape.compatible(shape):
            sys.exit(f"Input {name!r} has shape {ports[name].partial_shape}, not {shape}.")
        _check_channels(name, given)
    return inputs


def _with_layout(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the only input with the layout that its channels need, or exit with one line."""
    shape, layout = given["shape"], given["model_layout"]
    if layout and (len(layout) != len(shape) or "C" not in layout):
        sys.exit(f"Input {name!r} of shape {shape} cannot have the layout {layout}.")
    counts = {len(given[key]) for key in ("mean", "scale")} - {0, 1}
    if layout or not (counts or given["reverse_channels"]):
        return given
    try:
        found = channel_layout(shape, 3 if given["reverse_channels"] else min(counts))
    except ValueError as error:
        sys.exit(f"Input {name!r}: {error} Give the layout.")
    # Without one it is NC….
    return {**given, "model_layout": None if found.startswith("NC") else found}


def _check_channels(name: str, given: dict[str, Any]) -> None:
    """Exit with one line if mean, scale or reversal do not match the number of channels."""
    layout = given["layout"] or given["model_layout"] or ""
    axis = layout.index("C") if "C" in layout else min(1, len(given["shape"]) - 1)
    channels = given["shape"][axis] if given["shape"] else 0
    for key in ("mean", "scale"):
        if len(given[key]) not in (0, 1, channels):
            sys.exit(f"Input {name!r}: {key} has {len(given[key])} values for {channels} channels.")
    if given["reverse_channels"] and channels != 3:
        sys.exit(f"Input {name!r}: reversing needs three channels, not {channels}.")


def _widen(model: Model, inputs: dict[str, Any]) -> None:
    """Reshape a scalar input to [1] if declared so: a tensor cannot have empty dims."""
    for port in model.inputs:
        given = next((inputs[name] for name in port.names if name in inputs), None)
        if given is None or port.partial_shape.rank != 0 or given["shape"] != [1]:
            continue
        parameter = port.node
        wide = opset.parameter([1], parameter.element_type, parameter.friendly_name)
        wide.output(0).get_tensor().set_names(port.names)
        scalar = opset.squeeze(wide, opset.constant([0], Type.i64))
        for taker in port.get_target_inputs():
            taker.replace_source_output(scalar.output(0))
        model.replace_parameter(model.get_parameter_index(parameter), wide)
    model.validate_nodes_and_infer_types()


def _own_shape(port: Any) -> dict[str, Any]:
    """Return the shape and bounds of an input as the model has it, or exit with one line."""
    own = port.partial_shape
    if own.rank.is_dynamic:
        sys.exit(f"Input {port.any_name!r} has no known number of axes: give its shape.")
    if own.is_static:
        return {"shape": list(own.to_shape()), "bounds": []}
    bounds = [(size.get_min_length(), size.get_max_length()) for size in own]
    return {"shape": [max(low, 1) for low, _ in bounds], "bounds": bounds}


def prepared(model: Model, inputs: dict[str, Any], outputs: dict[str, Any]) -> Model:
    """Return the model with the config's inputs and outputs applied."""
    if inputs:
        model.reshape({name: _model_shape(given) for name, given in inputs.items()})
    changed = {name: given for name, given in inputs.items() if any(map(given.get, _CHANGES))}
    typed = {name: given["type"] for name, given in outputs.items() if given["type"]}
    if not changed and not typed:
        return model
    steps = PrePostProcessor(model)
    for name, given in changed.items():
        _prepare(steps.input(name), given, model.input(name).element_type)
    for name, kind in typed.items():
        steps.output(name).tensor().set_element_type(_TYPES[kind])
    return steps.build()


def _prepare(info: Any, given: dict[str, Any], own: Type) -> None:
    rank = len(given["shape"])
    layout = given["model_layout"] or given["layout"] or ("NC..." if rank > 1 else "C")
    info.model().set_layout(Layout(layout))
    if given["layout"]:
        info.tensor().set_layout(Layout(given["layout"]))
    if given["type"]:
        info.tensor().set_element_type(_TYPES[given["type"]])
        # Convert before the arithmetic: a mean of 103.94 is not representable as u8.
        info.preprocess().convert_element_type(own)
    if given["reverse_channels"]:
        info.preprocess().reverse_channels()
    if given["mean"]:
        info.preprocess().mean(_one_or_all(given["mean"]))
    if given["scale"]:
        info.preprocess().scale(_one_or_all(given["scale"]))


def _one_or_all(values: list[float]) -> Any:
    """Return one value for all channels as a number."""
    return values[0] if len(values) == 1 else values


def _model_shape(given: dict[str, Any]) -> PartialShape:
    """Return the shape in the model's axis order."""
    sizes = given["bounds"] or [(size, size) for size in given["shape"]]
    if given["layout"] and given["model_layout"]:
        sizes = [sizes[given["layout"].index(axis)] for axis in given["model_layout"]]
    return PartialShape([Dimension(low, high) for low, high in sizes])
