"""Infers a TFLite model with LiteRT on one thread, by the names of the tensors at its border."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType
from border import Order, serve

_BUILTIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def infer(order: Order) -> Iterator[list[Any]]:
    """Run ``model`` with the kernels that are nearest to its arithmetic.

    Of a quantised model those are LiteRT's own, in integers; of any other the ones that it takes
    by itself, since its own round more coarsely.
    """
    content = order.files["model"].read_bytes()
    interpreter = Interpreter(model_content=content, num_threads=1)
    if any(_steps(interpreter.get_input_details() + interpreter.get_output_details())):
        interpreter = Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=_BUILTIN
        )
    given = _indices(interpreter.get_input_details(), order.draws[0])
    for index, array in zip(given, order.draws[0].values(), strict=True):
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    own = {detail["index"]: detail["dtype"] for detail in interpreter.get_input_details()}
    made = _indices(interpreter.get_output_details(), order.outputs)
    for inputs in order.draws:
        for index, array in zip(given, inputs.values(), strict=True):
            # As the IR does where the config gives its input another type.
            interpreter.set_tensor(index, array.astype(own[index], copy=False))
        interpreter.invoke()
        yield [interpreter.get_tensor(index) for index in made]


def levels(order: Order) -> list[bool]:
    """Return for each output whether it holds the levels of a quantised tensor."""
    interpreter = Interpreter(model_content=order.files["model"].read_bytes(), num_threads=1)
    details = {detail["name"]: detail for detail in interpreter.get_output_details()}
    return _steps([details[name] for name in order.outputs])


def _steps(details: list[dict[str, Any]]) -> list[bool]:
    return [bool(detail["quantization"][0]) for detail in details]


def _indices(details: list[dict[str, Any]], names: Any) -> list[int]:
    known = {detail["name"]: detail["index"] for detail in details}
    for name in names:
        if name not in known:
            raise ValueError(f"no tensor {name!r} at the model's border; it has: {list(known)}")
    return [known[name] for name in names]


if __name__ == "__main__":
    serve(infer, version("ai-edge-litert"), levels)
