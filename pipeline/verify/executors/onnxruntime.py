"""ONNX models in ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from pipeline.errors import Code, PipelineError
from pipeline.model.direct import place_files
from pipeline.verify.executors.executor import Answer, Question


def run_onnxruntime(question: Question) -> Answer:
    """Run the ONNX file ``model``, with its external data beside it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # What it would print, it raises too.
    options.log_severity_level = 4
    place_files(question.files, question.folder, {"model": "model.onnx"})
    try:
        session = onnxruntime.InferenceSession(
            question.folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        fed = {
            # A scalar: the IR's has one axis.
            given.name: array.reshape(()) if not given.shape else array
            for given in session.get_inputs()
            if (array := question.inputs.get(given.name)) is not None
        }
        outputs = session.run(list(question.outputs), {**question.inputs, **fed})
    except Exception as error:  # its exceptions share no class but this
        raise PipelineError(
            Code.VERIFY,
            "ONNX Runtime could not run the model for the golden check.",
            where=question.files["model"].name,
            hint="If a name is unknown, correct [golden.inputs] or [golden.outputs].",
            detail=str(error)[-800:],
        ) from None
    return Answer(outputs, onnxruntime.__version__)
