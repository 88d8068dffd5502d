"""Infers a TFLite model with LiteRT on one thread, by the names of the tensors at its border."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType
from border import serve


def infer(
    files: dict[str, Path], inputs: dict[str, Any], outputs: list[str], _architecture: str | None
) -> list[Any]:
    """Run ``model`` with the kernels that are nearest to its arithmetic.

    Of a quantised model those are LiteRT's own, in integers; of any other the ones that it takes
    by itself, since its own round more coarsely.
    """
    content = files["model"].read_bytes()
    interpreter = Interpreter(model_content=content, num_threads=1)
    border = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    if any(detail["quantization"][0] for detail in border):
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(
            model_content=content, num_threads=1, experimental_op_resolver_type=kernels
        )
    given = _indices(interpreter.get_input_details(), inputs)
    for index, array in zip(given, inputs.values(), strict=True):
        interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    own = {detail["index"]: detail["dtype"] for detail in interpreter.get_input_details()}
    for index, array in zip(given, inputs.values(), strict=True):
        # As the IR does where the config gives its input another type.
        interpreter.set_tensor(index, array.astype(own[index], copy=False))
    interpreter.invoke()
    made = _indices(interpreter.get_output_details(), outputs)
    return [interpreter.get_tensor(index) for index in made]


def _indices(details: list[dict[str, Any]], names: Any) -> list[int]:
    known = {detail["name"]: detail["index"] for detail in details}
    for name in names:
        if name not in known:
            raise ValueError(f"no tensor {name!r} at the model's border; it has: {list(known)}")
    return [known[name] for name in names]


if __name__ == "__main__":
    serve(infer, version("ai-edge-litert"))
