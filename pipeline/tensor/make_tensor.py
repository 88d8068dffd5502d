"""The step ``tensor``: make the bytes of one model input."""

from __future__ import annotations

import math
from typing import Any, cast

from pipeline.cache.json_decoding import convert_value
from pipeline.config.tensor_rules import check_tensor
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.content import read_content
from pipeline.tensor.element_values import changed_numbers
from pipeline.tensor.image import image_tensor, to_element_type
from pipeline.tensor.mean_image import read_mean_image
from pipeline.tensor.noise import draw
from pipeline.tensor.signal import synthesise
from pipeline.tensor.sound import read_sound
from pipeline.tensor.spec import TensorSpec
from pipeline.tensor.stored_array import read_array, read_raw
from pipeline.tensor.tokens import token_ids, tokenized


def make_tensor(job: Job) -> None:
    """Recipe: write the raw ``tensor`` of one model input.

    Inputs: ``image`` with ``mean_image`` if there is one, ``content``, ``sound``, ``array``,
    ``text`` with ``text.vocabulary`` or ``text.tokenizer``, or none. Parameters: ``dims``, and
    ``tensor``, the config's table. Unkeyed: ``name``, for errors. Raises PipelineError (TENSOR).
    """
    name = str(job.unkeyed["name"])
    tensor = convert_value(job.parameters["tensor"], Tensor)
    dims = tuple(cast(list[int], job.parameters["dims"]))
    for finding in check_tensor(tensor, dims, name):
        raise PipelineError(
            Code.TENSOR,
            finding.message,
            where=name,
            expected=finding.expected,
            found=finding.found,
            hint=finding.hint,
        )
    array = _array(job, tensor, dims, name)
    data = array.tobytes()
    spec = TensorSpec.of(tensor, dims)
    if array.shape != dims or len(data) != spec.size:
        raise PipelineError(
            Code.TENSOR,
            "The tensor has a wrong size.",
            where=name,
            expected=f"{spec.size} bytes of shape {dims}",
            found=f"{len(data)} bytes of shape {array.shape}",
        )
    job.outputs["tensor"].write_bytes(data)


def _array(job: Job, tensor: Tensor, dims: tuple[int, ...], name: str) -> Any:
    import numpy

    if tensor.signal is not None:
        samples = synthesise(tensor.signal, math.prod(dims))
        return to_element_type(samples, tensor.type, name).reshape(dims)
    count = math.prod(dims)
    if tensor.sound is not None:
        numbers = read_sound(job.inputs["sound"], tensor.sound, count, name)
        return to_element_type(numbers, tensor.type, name).reshape(dims)
    if tensor.array is not None:
        path = job.inputs["array"]
        if tensor.array.raw:
            values = read_raw(path, tensor.type, dims, name)
        else:
            values = read_array(path, tensor.array, dims, name)
        return _exactly(values, tensor, name)
    if tensor.text is not None:
        text = job.inputs["text"]
        if tensor.text.tokenizer is not None:
            tokenizer = job.inputs["text.tokenizer"]
            numbers = tokenized(text, tokenizer, tensor.text, count, name)
        else:
            numbers = token_ids(text, job.inputs["text.vocabulary"], tensor.text, count, name)
        return to_element_type(numbers, tensor.type, name).reshape(dims)
    if tensor.noise is not None:
        whole = tensor.type in ("u8", "i8", "i32", "i64")
        return to_element_type(draw(tensor.noise, count, whole=whole), tensor.type, name).reshape(
            dims
        )
    if tensor.content is not None:
        numbers = read_content(job.inputs["content"], tensor.content)
        return to_element_type(numbers, tensor.type, name).reshape(dims)
    if tensor.constant is not None:
        return to_element_type(numpy.full(dims, tensor.constant, numpy.float64), tensor.type, name)
    mean = None
    if tensor.mean_image is not None:
        mean = read_mean_image(job.inputs["mean_image"], tensor, dims, name)
    return image_tensor(job.inputs["image"], tensor, dims, name, mean)


def _exactly(values: Any, tensor: Tensor, name: str) -> Any:
    """Return an array as the element type, in which whole numbers stay whole and the same.

    Raises PipelineError (TENSOR) for fractions in integers, such as pixels from 0 to 1, and for
    whole numbers that a floating-point type has to round, such as ids in f16.
    """
    made = to_element_type(values, tensor.type, name)
    changed = changed_numbers(values, made, tensor.type)
    if changed is not None:
        fraction = values.dtype.kind == "f"
        raise PipelineError(
            Code.TENSOR,
            f"Type {tensor.type} cannot represent the numbers of the array.",
            where=name,
            expected="integers" if fraction else f"integers that {tensor.type} does not round",
            found=f"{changed:.10g}",
            hint="Use another type, or save the array in the values that the model takes.",
        )
    return made
