"""Script: inspect a model file or folder with OpenVINO and write its outline as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

_ARITHMETIC = {"Add": "add", "Subtract": "subtract", "Multiply": "multiply", "Divide": "divide"}
# Operations that do not change an input's values.
_CARRIES = ("Convert", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "ConvertLike")
_MOST_CHANNELS = 4
_MOST_STEPS = 6
_MOST_TAKERS = 1000


def main(payload: dict[str, Any]) -> None:
    """Write the outline of ``order["model"]``."""
    # Another program imports a function from here, and has its own path.
    from read_network import read_network

    model = read_network(payload["model"])
    scales = _quantisation(payload["model"])
    found = {
        "inputs": [
            {
                **_tensor_info(port),
                **scales.get(_name(port), {}),
                "steps": _steps(port),
                "indices": table_rows(port, 0),
            }
            for port in model.inputs
        ],
        "outputs": [{**_tensor_info(port), "name": min(port.names)} for port in model.outputs],
        "quantised": any(op.get_type_name() == "FakeQuantize" for op in model.get_ops()),
        "half": _is_half(model),
    }
    Path(payload["outline"]).write_text(json.dumps(found))


def _is_half(model: Any) -> bool:
    """Return whether more bytes of the constants are f16 than f32."""
    sizes = {"f16": 0, "f32": 0}
    for op in model.get_ops():
        kind = op.get_element_type().get_type_name() if op.get_type_name() == "Constant" else ""
        if kind in sizes:
            sizes[kind] += op.get_byte_size()
    return sizes["f16"] > sizes["f32"]


def _tensor_info(port: Any) -> dict[str, Any]:
    shape = port.partial_shape
    sizes = None
    if shape.rank.is_static:
        sizes = [None if size.is_dynamic else size.get_length() for size in shape]
    return {"name": _name(port), "type": port.element_type.get_type_name(), "shape": sizes}


def _name(port: Any) -> str:
    names: set[str] = port.names
    # A TensorFlow input has a signature name and a tensor name with :0.
    return min(names, key=lambda name: (":" in name, len(name), name))


def _steps(port: Any) -> list[dict[str, Any]]:
    """Return the arithmetic with constants that the model applies first to an input."""
    found: list[dict[str, Any]] = []
    while len(found) < _MOST_STEPS:
        takers = list(port.get_target_inputs())
        if len(takers) != 1:
            break
        node = takers[0].get_node()
        kind = node.get_type_name()
        if kind in _ARITHMETIC:
            other = next((i for i in node.inputs() if i.get_index() != takers[0].get_index()), None)
            values = None if other is None else _constant(other.get_source_output().get_node())
            if values is None or (kind == "Divide" and takers[0].get_index() != 0):
                break
            found.append({"operation": _ARITHMETIC[kind], "values": values})
        elif kind not in _CARRIES:
            break
        port = node.output(0)
    return found


def _constant(node: Any) -> list[float] | None:
    """Return a constant of one number, or one per channel for few channels."""
    while node.get_type_name() in _CARRIES:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    values = node.get_data().ravel()
    return [float(value) for value in values] if len(values) <= _MOST_CHANNELS else None


def table_rows(port: Any, depth: int) -> int | None:
    """Return the number of rows of the table that an input's values index, or None."""
    for taker in list(port.get_target_inputs())[:_MOST_TAKERS]:
        node, place = taker.get_node(), taker.get_index()
        kind = node.get_type_name()
        if kind == "Gather" and place == 1:
            shape = node.input(0).get_partial_shape()
            axis = node.input_value(2).get_node()
            if axis.get_type_name() != "Constant" or not shape.rank.is_static:
                continue
            size = shape[int(axis.get_data().ravel()[0])]
            if size.is_static:
                return int(size.get_length())
        elif kind == "OneHot" and place == 0:
            values = _constant(node.input_value(1).get_node())
            if values:
                return int(values[0])
        elif kind in _CARRIES and depth < _MOST_STEPS:
            found = table_rows(node.output(0), depth + 1)
            if found is not None:
                return found
    return None


def _quantisation(model: str) -> dict[str, dict[str, Any]]:
    """Return the scale and zero point of each quantised input of a TFLite model."""
    if not model.endswith(".tflite"):
        return {}
    from ai_edge_litert.interpreter import Interpreter

    details = Interpreter(model_path=model, num_threads=1).get_input_details()
    return {
        detail["name"]: {
            "scale": float(detail["quantization"][0]),
            "zero_point": int(detail["quantization"][1]),
        }
        for detail in details
        if detail["quantization"][0]
    }


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # Front ends raise many types; their traceback is no help.
        sys.exit(str(error))
