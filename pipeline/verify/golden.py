"""The golden check: the IR's outputs against an independent executor of the source model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.config.model_tables import ExecutorName, Golden, Model, ModelInput, ModelOutput
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.request import Interface
from pipeline.model.convert.signatures import with_signature
from pipeline.model.inspect.dynamic_range import rounds_activations
from pipeline.toolchain.environment import python_for
from pipeline.verify import evidence
from pipeline.verify.bfloat16 import outputs_in_bf16, rounds_to_bf16
from pipeline.verify.compare import Difference, compare, compare_whole
from pipeline.verify.executors import EXECUTORS
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult
from pipeline.verify.float_kernels import infer_in_floats, is_quantised
from pipeline.verify.noise_floor import draws_of, moved, quantum_of
from pipeline.verify.sums import longest_average
from pipeline.verify.ties import tied
from pipeline.verify.tolerance import FACTOR, INT8, Tolerance, tolerance, ulps_of

_SECONDS = 240.0
# Within so many times the noise floor, noise is the likelier cause.
_UNSTABLE = 10.0


def run_reference_executor(
    job: Job, interface: Interface, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
) -> tuple[evidence.GoldenResult, dict[str, Any]]:
    """Run the source model on the IR's ``inputs`` and compare with its ``outputs``, by name.

    The executor runs again with rounding errors in its inputs; how far its outputs move is the
    noise floor. Returns the comparison, and the source model's outputs by the names of the IR's.
    Raises PipelineError (VERIFY, TOOLCHAIN, TIME_LIMIT).
    """
    golden = convert_value(job.parameters["golden"], Golden)
    model = convert_value(job.parameters["model"], Model)
    prefix = "golden."
    fed = {}
    for port in interface.inputs:
        name = next(name for name in port.names if name in model.inputs)
        fed[golden.inputs.get(name, name)] = source_input(inputs[port.name], model.inputs[name])
    folder = job.scratch / "golden"
    folder.mkdir()
    files: Mapping[str, Path] = {
        label.removeprefix(prefix): path
        for label, path in job.inputs.items()
        if label.startswith(prefix)
    }
    if not golden.files:
        files = with_signature(model.framework, files, model.signature, job.scratch)
    request = InferenceRequest(
        files=files,
        inputs=fed,
        outputs=[golden.outputs.get(name, name) for name in outputs],
        architecture=model.architecture,
        seed=model.seed,
        folder=folder,
        python=python_for(job, "executor"),
        seconds=_SECONDS,
    )
    xml = job.inputs["xml"]
    rounded = is_rounded(xml, model, files)
    result = infer_source(golden.executor, request, rounded=rounded, bf16=rounds_to_bf16(xml))
    compared = compare_with_source(golden, model, xml, inputs, outputs, result, rounded=rounded)
    theirs = {
        name: _typed(source, model.outputs.get(name), ours)
        for (name, ours), source in zip(outputs.items(), result.outputs, strict=True)
    }
    return compared, theirs


def is_rounded(xml: Path, model: Model, files: Mapping[str, Path]) -> bool:
    """Return whether the source model itself rounds to int8 inside, as its IR or files show."""
    if model.framework == "tflite" and "model" in files and rounds_activations(files["model"]):
        return True
    # NNCF quantises the IR alone.
    return is_quantised(xml) and model.precision != "int8"


def infer_source(
    executor: ExecutorName, request: InferenceRequest, *, rounded: bool, bf16: bool = False
) -> InferenceResult:
    """Run the source model, and again with its inputs moved by rounding."""
    draws = moved(request.inputs, quantised=rounded, bf16=bf16)
    return EXECUTORS[executor].run(replace(request, moved=draws))


def compare_with_source(
    golden: Golden,
    model: Model,
    xml: Path,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    result: InferenceResult,
    *,
    rounded: bool,
) -> evidence.GoldenResult:
    """Compare an IR's ``outputs`` for its ``inputs`` with what the source model answered."""
    allowed = tolerance(golden, model.precision)
    shapes = [array.shape for array in inputs.values()]
    ulps = ulps_of(longest_average(xml, shapes))
    floats: Mapping[str, Any] = {}
    if is_quantised(xml):
        inferred = infer_in_floats(xml, list(inputs.values()))
        floats = dict(zip(outputs, inferred, strict=True))
    return evidence.GoldenResult(
        executor=golden.executor,
        version=result.version,
        factor=FACTOR,
        ulps=ulps,
        draws=draws_of(quantised=rounded),
        tolerance=allowed,
        outputs=_compared(
            outputs, floats, result, model, allowed, ulps, rounded, outputs_in_bf16(xml)
        ),
    )


def _compared(
    outputs: Mapping[str, Any],
    floats: Mapping[str, Any],
    answer: InferenceResult,
    model: Model,
    allowed: Tolerance,
    ulps: int,
    quantised: bool,
    bf16: Sequence[bool],
) -> dict[str, Difference]:
    """Return the difference of each output; whole numbers come last, since scores may tie them."""
    found: dict[str, Difference] = {}
    whole = []
    scores = []
    for index, (name, ours) in enumerate(outputs.items()):
        source, asked = answer.outputs[index], model.outputs.get(name)
        theirs = _typed(source, asked, ours)
        others = [_typed(each[index], asked, ours) for each in answer.others]
        levels = source.dtype.kind in "iu" and (
            answer.levels[index] if answer.levels else quantised and source.dtype.itemsize == 1
        )
        if not levels and (source.dtype.kind, ours.dtype.kind) != ("f", "f"):
            whole.append((name, ours, theirs, others))
            continue
        quantum = None
        if quantised:
            quantum = 1.0 if levels else quantum_of(theirs)
        judge = partial(
            compare,
            allowed=allowed,
            others=others,
            quantum=quantum,
            ulps=ulps,
            bf16=bool(bf16) and bf16[index],
        )
        found[name] = _judged(ours, floats.get(name), theirs, judge, exact=quantum is not None)
        scores.append((theirs, found[name].noise))
    for name, ours, theirs, others in whole:
        mask = tied(ours, theirs, scores) if ours.size == theirs.size else None
        found[name] = compare_whole(ours, theirs, others, mask)
    return {name: found[name] for name in outputs}


def _judged(
    ours: Any, in_floats: Any, theirs: Any, judge: Callable[[Any, Any], Difference], *, exact: bool
) -> Difference:
    """Return how an output agrees; ``in_floats`` is that of the IR without int8 kernels, if any.

    With ``exact``, the conversion is judged by that one. What int8 kernels then lose depends on the
    processor; it is measured, and held to what the precision int8 may lose.
    """
    plain = judge(ours, theirs)
    if in_floats is None:
        return plain
    kernels = compare(ours, in_floats, INT8)
    if not exact:
        return msgspec.structs.replace(plain, kernels=kernels.max_absolute)
    right = judge(in_floats, theirs)
    lost = f"the int8 kernels of this processor lose {kernels.max_absolute:.3g}"
    return msgspec.structs.replace(
        right,
        agrees=right.agrees and kernels.agrees,
        max_absolute=plain.max_absolute,
        max_relative=plain.max_relative,
        cosine=plain.cosine,
        top_five=plain.top_five,
        kernels=kernels.max_absolute,
        note=right.note or ("" if kernels.agrees else lost),
    )


def _typed(theirs: Any, output: ModelOutput | None, ours: Any) -> Any:
    """Return the source model's output, in our type where the config asks for another one."""
    return theirs.astype(ours.dtype) if output is not None and output.type else theirs


def source_input(array: Any, given: ModelInput) -> Any:
    """Return the input of the source model for a tensor of the IR, in float32.

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


def disagreements(golden: evidence.GoldenResult, where: str) -> list[PipelineError]:
    """Return one error for each output that is farther off than noise and precision explain."""
    return [
        PipelineError(
            Code.VERIFY,
            f"Output {name} of the IR disagrees with {golden.executor} on the source model.",
            where=where,
            expected=_expected(difference, golden),
            found=_found(difference),
            hint=_hint(difference, golden),
        )
        for name, difference in golden.outputs.items()
        if not difference.agrees
    ]


def _expected(difference: Difference, golden: evidence.GoldenResult) -> str:
    if difference.note:
        return f"the output of {golden.executor}"
    if not difference.bound:
        return f"the same integers as {golden.executor}"
    text = (
        f"within {difference.bound:.3g}: {golden.factor:g} × the noise floor "
        f"{difference.floor:.3g}, and {golden.ulps} units in the last place"
    )
    allowed = golden.tolerance
    if allowed.reason:
        text += f"; at least {allowed.absolute:g} + {allowed.relative:g} × |b|: {allowed.reason}"
    elif allowed.share:
        text += f"; the precision allows {allowed.share:g} × scale + {allowed.relative:g} × |b|"
    return text + (f"; cosine >= {allowed.cosine:g}" if allowed.cosine else "")


def _found(difference: Difference) -> str:
    if difference.note:
        return difference.note
    place = f" at {difference.place}" if difference.place else ""
    if not difference.bound:
        return (
            f"{difference.outside} of {difference.elements} differ{place}, by up to "
            f"{difference.max_absolute:.0f}"
        )
    if not difference.outside and difference.margin > 1:
        return (
            f"no element beyond its bound, but together {difference.margin:.3g} × what rounding "
            f"explains; cosine {difference.cosine:.6f}"
        )
    return (
        f"{difference.outside} of {difference.elements} elements beyond{place}; a distance of "
        f"{difference.distance:.3g}, {difference.margin:.3g} × the bound; cosine "
        f"{difference.cosine:.6f}"
    )


def _hint(difference: Difference, golden: evidence.GoldenResult) -> str:
    if difference.kernels is not None and difference.note:
        return (
            "The IR agrees when it runs in f32; the int8 kernels of this processor lose too much: "
            "use a processor with VNNI, or an f32 model."
        )
    if difference.note:
        return "The conversion changed the model: check its outputs, their shapes and types."
    if not difference.bound:
        return (
            "Classes, tokens and indices must be equal, except where two scores tie: check inputs, "
            "mean, scale, colour order and the precision."
        )
    if not difference.outside and difference.margin > 1:
        return "The quantised network differs: check inputs, mean, scale, colour order."
    if not difference.outside:
        return (
            "Each element is within its bound, but the cosine of the whole output is too low: use "
            "an input that the model can classify, or lower golden.cosine with a golden.reason."
        )
    if 0 < difference.distance <= _UNSTABLE * difference.floor:
        return (
            f"The model is numerically unstable here: {golden.executor} itself moves by "
            f"{difference.floor:.3g} when its input moves by one unit in the last place. Compare "
            "another input or an output before this one, or widen golden.absolute with a "
            "golden.reason."
        )
    if difference.outside * 2 >= difference.elements or difference.place.startswith("channel"):
        return "The conversion changed the model: check inputs, mean, scale, colour order."
    return (
        "Part of the output is wrong, far beyond the noise floor: check the layers that compute "
        "it, their weights and the precision."
    )
