"""Cut a model at inner tensors, by the framework's names.

OpenVINO's converter only supports the model's own inputs and outputs. Its front ends keep the name
of every tensor, until later passes fuse operations.
"""

from __future__ import annotations

import sys
from typing import Any

from openvino import Model, PartialShape, Type
from openvino import opset13 as opset
from openvino.frontend import FrontEndManager


def whole(path: str) -> Model:
    """Return the model as read by its front end, with every tensor's name."""
    front_end = FrontEndManager().load_by_model(path)
    model: Model = front_end.convert(front_end.load(path))
    return model


def cut(model: Model, inputs: dict[str, Any], outputs: dict[str, Any]) -> Model:
    """Return the part of the model between the named tensors (default: the model's own ends).

    Exits with one line if a tensor does not exist or further inputs are required.
    """
    nodes = [node for node in model.get_ops() if node.get_type_name() != "Result"]
    ports = {name: port for node in nodes for port in node.outputs() for name in port.names}
    inputs = {name: given for name, given in inputs.items() if name != "*"}
    _check("input", inputs, ports, model.inputs)
    _check("output", outputs, ports, model.outputs)
    ends = [_end(ports[name], name) for name in outputs] or model.get_results()
    begins = {
        name: ports[name].node
        if ports[name].node.get_type_name() == "Parameter"
        else _begin(ports[name], name, given)
        for name, given in inputs.items()
    }
    reachable = _reachable(ends)
    for name, begin in begins.items():
        if begin.get_name() not in reachable:
            sys.exit(f"The cut model does not use the input {name!r}.")
    own = [each for each in model.get_parameters() if each.get_name() in reachable]
    given = [each.get_name() for each in begins.values()]
    if inputs and (missing := [each for each in own if each.get_name() not in given]):
        names = ", ".join(each.output(0).any_name for each in missing)
        sys.exit(f"The cut model requires further inputs: {names}.")
    return Model(ends, list(begins.values()) or own, model.friendly_name)


def _check(kind: str, names: dict[str, Any], ports: dict[str, Any], own: list[Any]) -> None:
    for name in names:
        if name not in ports:
            there = ", ".join(sorted(name for port in own for name in port.names))
            sys.exit(f"The model has no {kind} {name!r}; it has: {there}.")


def _end(port: Any, name: str) -> Any:
    end = opset.result(port)
    end.friendly_name = name
    return end


def _begin(port: Any, name: str, given: dict[str, Any]) -> Any:
    """Replace a tensor by an input; an unknown type becomes f32."""
    kind, shape = port.element_type, port.partial_shape
    if not shape.compatible(PartialShape(given["shape"])):
        sys.exit(f"Tensor {name!r} has shape {shape}, not {given['shape']}.")
    begin = opset.parameter(shape, Type.f32 if kind.is_dynamic() else kind, name)
    begin.output(0).get_tensor().set_names({name})
    for taker in port.get_target_inputs():
        taker.replace_source_output(begin.output(0))
    port.get_tensor().set_names(set())
    return begin


def _reachable(ends: Any) -> set[str]:
    """Return the names of all nodes that the ends depend on."""
    waiting, found = list(ends), set()
    while waiting:
        node = waiting.pop()
        if node.get_name() not in found:
            found.add(node.get_name())
            waiting += [value.get_node() for value in node.input_values()]
    return found
