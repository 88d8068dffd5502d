"""The golden check: the IR's outputs against an independent executor of the source model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.config.model_tables import Golden, Model, ModelInput, ModelOutput
from pipeline.errors import Code, PipelineError
from pipeline.model.request import Interface
from pipeline.toolchain.locked import python_for
from pipeline.verify import evidence
from pipeline.verify.compare import Difference, compare
from pipeline.verify.executors import EXECUTORS
from pipeline.verify.executors.executor import Question
from pipeline.verify.tolerance import Tolerance, tolerance
from pipeline.work.action import Job

_SECONDS = 240.0


def ask_golden(
    job: Job, interface: Interface, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> tuple[evidence.Golden, dict[str, Any]]:
    """Run the source model on the IR's ``inputs`` and compare with its ``outputs``, by name.

    Returns how they agree, and the source model's outputs by the names of ours.
    Raises PipelineError (VERIFY, TOOLCHAIN, TIME_LIMIT).
    """
    golden = msgspec.convert(job.parameters["golden"], Golden)
    model = msgspec.convert(job.parameters["model"], Model)
    prefix = "golden."
    fed = {}
    for port in interface.inputs:
        name = next(name for name in port.names if name in model.inputs)
        fed[golden.inputs.get(name, name)] = source_input(inputs[port.name], model.inputs[name])
    folder = job.scratch / "golden"
    folder.mkdir()
    answer = EXECUTORS[golden.executor].run(
        Question(
            files={
                label.removeprefix(prefix): path
                for label, path in job.inputs.items()
                if label.startswith(prefix)
            },
            inputs=fed,
            outputs=[golden.outputs.get(name, name) for name in outputs],
            architecture=model.architecture,
            folder=folder,
            python=python_for(job, "executor"),
            seconds=_SECONDS,
        )
    )
    allowed = tolerance(golden, model.precision)
    theirs = {
        name: _typed(other, model.outputs.get(name), ours)
        for (name, ours), other in zip(outputs.items(), answer.outputs, strict=True)
    }
    found = evidence.Golden(
        executor=golden.executor,
        version=answer.version,
        tolerance=allowed,
        outputs={name: compare(ours, theirs[name], allowed) for name, ours in outputs.items()},
    )
    return found, theirs


def _typed(theirs: Any, output: ModelOutput | None, ours: Any) -> Any:
    """Return the source model's output, in our type where the config asks for another one."""
    return theirs.astype(ours.dtype) if output is not None and output.type else theirs


def source_input(array: Any, given: ModelInput) -> Any:
    """Return what the source model is to be fed for a tensor of the IR, in float32.

    Where the IR brings axes in order, reverses channels, subtracts and divides inside, the source
    model does not; the arithmetic is that of PrePostProcessor and of Model Optimizer.

    >>> import numpy
    >>> tensor = numpy.array([[[[1, 2, 3]]]], numpy.uint8)
    >>> given = ModelInput(
    ...     shape=(1, 1, 1, 3), type="u8", layout="NHWC", model_layout="NCHW",
    ...     reverse_channels=True, mean=(1, 0, 0), scale=(2, 1, 1))
    >>> source_input(tensor, given).ravel().tolist()
    [1.0, 2.0, 1.0]
    """
    import numpy

    if given.layout and given.model_layout:
        array = array.transpose([given.layout.index(axis) for axis in given.model_layout])
    if given.type == "u8" or given.mean or given.scale:
        array = array.astype(numpy.float32)
    layout = given.model_layout or given.layout or ""
    axis = layout.index("C") if "C" in layout else min(1, array.ndim - 1)
    channels = [1] * array.ndim
    channels[axis] = -1
    if given.reverse_channels:
        array = numpy.flip(array, axis)
    if given.mean:
        array = array - numpy.array(given.mean, numpy.float32).reshape(channels)
    if given.scale:
        array = array / numpy.array(given.scale, numpy.float32).reshape(channels)
    return numpy.ascontiguousarray(array)


def disagreements(golden: evidence.Golden, where: str) -> list[PipelineError]:
    """Return one error for each output that is farther off than the config allows."""

    def found(difference: Difference) -> str:
        return difference.note or (
            f"a difference of {difference.max_absolute:.3g} absolute, "
            f"{difference.max_relative:.3g} relative, cosine {difference.cosine:.6f}"
        )

    allowed = golden.tolerance

    return [
        PipelineError(
            Code.VERIFY,
            f"Output {name} of the IR disagrees with {golden.executor} on the source model.",
            where=where,
            expected=f"|a - b| <= {allowed.absolute:g} + {allowed.relative:g} × |b|, "
            f"cosine >= {allowed.cosine:g}",
            found=found(difference),
            hint=_hint(difference, allowed),
        )
        for name, difference in golden.outputs.items()
        if not difference.agrees
    ]


def _hint(difference: Difference, allowed: Tolerance) -> str:
    # A difference within the absolute bound can turn the direction only of small values.
    if not difference.note and difference.max_absolute <= allowed.absolute:
        return (
            "Only the cosine fails, on values that are near 0 beside golden.absolute: take an "
            "input that the model has an answer to."
        )
    return "The conversion changed the model: check inputs, mean, scale and precision."
