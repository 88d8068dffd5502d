"""Check a conversion: the IR and its source model infer one seeded input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.config.model_tables import ExecutorName, Framework, Golden, Model
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.signatures import with_signature
from pipeline.verify import evidence
from pipeline.verify.bfloat16 import as_array, as_tensor, rounds_to_bf16
from pipeline.verify.executors import EXECUTORS
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult
from pipeline.verify.float_kernels import EXACT
from pipeline.verify.golden import (
    compare_with_source,
    infer_source,
    is_rounded,
    source_input,
)
from pipeline.verify.seeded_inputs import declared_inputs, name_of, seeded_inputs

_SECONDS = 600.0
# Faults of the check, which say nothing about the model.
_LIMITS = (Code.TIME_LIMIT, Code.MEMORY_LIMIT, Code.WORKER)
_RANDOM = frozenset({"RandomUniform", "Multinomial"})


class ConversionCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: the comparison, or why there is none.

    ``failure`` is what OpenVINO said of an IR that it cannot infer, though the source model can.
    """

    golden: evidence.GoldenResult | None = None
    skipped: str = ""
    failure: str = ""
    seconds: float = 0.0


def executor_of(framework: Framework) -> ExecutorName:
    """Return the executor that reads the models of a framework."""
    return next(name for name, each in EXECUTORS.items() if each.reads == framework)


def check_conversion(job: Job) -> None:
    """Recipe: compare an IR with its source model, and write the ``check`` (JSON).

    Inputs: ``xml`` with its .bin beside it, and ``file.<label>`` of the model. Unkeyed: ``model``
    (as it was converted) and ``python``, the interpreter that has the executor. Raises
    PipelineError (TIME_LIMIT, WORKER) if the executor exceeds its time or crashes.
    """
    try:
        found = _check(job, cast(Model, job.unkeyed["model"]))
    except PipelineError as error:
        if error.code in _LIMITS:
            raise
        # What the source's framework cannot run says nothing about the IR.
        found = ConversionCheck(skipped=_reason(error))
    job.outputs["check"].write_text(json.dumps(msgspec.to_builtins(found)))


def _check(job: Job, model: Model) -> ConversionCheck:
    import openvino

    xml = job.inputs["xml"]
    network = openvino.Core().read_model(xml)
    if kinds := _RANDOM & {op.get_type_name() for op in network.get_ops()}:
        return ConversionCheck(skipped=f"the model draws random numbers ({', '.join(kinds)})")
    declared = declared_inputs(network, model)
    model = msgspec.structs.replace(model, inputs=declared)
    golden = Golden(executor=executor_of(model.framework))
    given = {
        label.removeprefix("file."): path
        for label, path in job.inputs.items()
        if label.startswith("file.")
    }
    files = with_signature(model.framework, given, model.signature, job.scratch)
    rounded, bf16 = is_rounded(xml, model, files), rounds_to_bf16(xml)
    refused: PipelineError | None = None
    for number, inputs in enumerate(seeded_inputs(network, declared)):
        folder = job.scratch / f"{number}"
        folder.mkdir()
        fed = {name: source_input(array, declared[name]) for name, array in inputs.items()}
        request = InferenceRequest(
            files=files,
            inputs=fed,
            outputs=[name_of(port) for port in network.outputs],
            architecture=model.architecture,
            folder=folder,
            python=cast(Path, job.unkeyed["python"]),
            seconds=_SECONDS,
        )
        try:
            result = infer_source(golden.executor, request, rounded=rounded, bf16=bf16)
        except PipelineError as error:
            if error.code in _LIMITS:
                raise
            refused = error
            continue
        if not _is_finite(result):
            continue
        try:
            ours = _infer(network, inputs)
        except RuntimeError as error:
            return ConversionCheck(failure=" ".join(str(error).split())[-300:])
        outputs = {name_of(port): array for port, array in zip(network.outputs, ours, strict=True)}
        return ConversionCheck(
            golden=compare_with_source(golden, model, xml, inputs, outputs, result, rounded=rounded)
        )
    if refused is not None:
        raise refused
    return ConversionCheck(skipped=f"{golden.executor} gives no finite values for a seeded input")


def _infer(network: Any, inputs: Mapping[str, Any]) -> list[Any]:
    """Return the outputs of an IR; raises RuntimeError."""
    import openvino

    # Some CPUs infer f32 models in bf16 by default, or round activations to 8 bits.
    request = openvino.Core().compile_model(network, "CPU", dict(EXACT)).create_infer_request()
    for index, array in enumerate(inputs.values()):
        request.set_input_tensor(index, as_tensor(array, network.inputs[index]))
    request.infer()
    return [as_array(request.get_output_tensor(i)) for i in range(len(network.outputs))]


def _is_finite(result: InferenceResult) -> bool:
    import numpy

    return all(numpy.isfinite(array).all() for array in result.outputs if array.dtype.kind in "fiu")


def _reason(error: PipelineError) -> str:
    """Return why the executor could not run the model, in one line."""
    last = (error.detail or error.found or "").strip().splitlines()
    message = error.message.rstrip(".")
    return " ".join(f"{message}: {last[-1][:200]}".split()) if last else message
