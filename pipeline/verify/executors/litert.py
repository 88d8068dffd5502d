"""TFLite models in LiteRT, the runtime that they were made for."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.verify.executors.executor import Answer, Question


def run_litert(question: Question) -> Answer:
    """Run the TFLite file ``model`` on one thread, without the delegates that reorder sums."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    model = question.files["model"]
    try:
        interpreter = Interpreter(
            model_content=model.read_bytes(),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        given = {detail["name"]: detail for detail in interpreter.get_input_details()}
        for name, array in question.inputs.items():
            index = _named(given, name, model.name)["index"]
            interpreter.resize_tensor_input(index, array.shape)
        interpreter.allocate_tensors()
        for name, array in question.inputs.items():
            interpreter.set_tensor(given[name]["index"], array)
        interpreter.invoke()
        made = {detail["name"]: detail for detail in interpreter.get_output_details()}
        outputs = [
            interpreter.get_tensor(_named(made, name, model.name)["index"])
            for name in question.outputs
        ]
    except (RuntimeError, ValueError) as error:
        raise PipelineError(
            Code.VERIFY,
            "LiteRT could not run the model for the golden check.",
            where=model.name,
            detail=str(error)[-800:],
        ) from None
    return Answer(outputs, version("ai-edge-litert"))


def _named(details: dict[str, Any], name: str, model: str) -> Any:
    if name not in details:
        raise PipelineError(
            Code.VERIFY,
            f"The TFLite model has no tensor {name!r} at its border.",
            where=model,
            found=", ".join(details),
            hint="Correct [golden.inputs] or [golden.outputs].",
        )
    return details[name]
