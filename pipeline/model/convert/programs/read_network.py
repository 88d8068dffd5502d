"""Read a model of any framework, or an existing IR, with a name for each input and output."""

from __future__ import annotations

import openvino


def read_network(path: str) -> openvino.Model:
    """Return the network of a model's file or folder, or of an IR's .xml."""
    if not path.endswith(".xml"):
        return openvino.convert_model(path)
    model = openvino.Core().read_model(path)
    taken = {name for port in (*model.inputs, *model.outputs) for name in port.names}
    # An IR that was built by hand may name layers alone.
    for port in model.inputs:
        if not port.names:
            taken.add(_name(port, port.node.friendly_name, taken))
    for port in model.outputs:
        if not port.names:
            taken.add(_name(port, port.node.input_value(0).node.friendly_name, taken))
    return model


def _name(port: openvino.Output, wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}.{number}", number + 1
    port.get_tensor().set_names({name})
    return name
