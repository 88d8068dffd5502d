"""The step ``shard``: convert some images to tensors, concatenated in one file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.cache.json_decoding import convert_value
from pipeline.config.tensor_tables import Tensor
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.tensor.dataset.dataset_index import IndexLine
from pipeline.tensor.dataset.picture_pack import PackedPictures
from pipeline.tensor.dataset.pictures import LARGEST_FILE, GivenPictures, Picture, Pictures
from pipeline.tensor.image import image_tensor
from pipeline.tensor.mean_image import read_mean_image

_GIVEN = "picture."
# A block holds 16 MiB, or 4 megapixels.
_BLOCKS = 4


def make_shard(job: Job) -> None:
    """Recipe: write the raw ``tensors`` of a shard, and its ``index`` with a line for each image.

    Inputs: ``pack``, or the files ``picture.<name>``; ``mean_image`` if there is one. Parameters:
    ``where``, ``bad``, ``dims``, and ``tensor``, the config's table. Holds one image in memory at a
    time. Raises PipelineError (TENSOR) for a bad image unless ``bad`` is "skip".
    """
    tensor = convert_value(job.parameters["tensor"], Tensor)
    dims = tuple(cast(list[int], job.parameters["dims"]))
    encoder = msgspec.json.Encoder()
    offset = 0
    mean = None
    if tensor.mean_image is not None:
        where = str(job.parameters["where"])
        mean = read_mean_image(job.inputs["mean_image"], tensor, dims, where)
    _keep_blocks()
    with job.outputs["tensors"].open("wb") as tensors, job.outputs["index"].open("wb") as index:
        for picture in _pictures(job.inputs).each(job.scratch):
            try:
                array = _array(picture, tensor, dims, mean)
            except PipelineError as error:
                if error.code is not Code.TENSOR:
                    raise
                error.where = f"{job.parameters['where']}: {picture.name}"
                if job.parameters["bad"] == "fail":
                    error.hint = error.hint or 'Set bad = "skip" to skip such images.'
                    raise
                line = IndexLine(picture=picture.name, skipped=error.message, found=error.found)
            else:
                data = array.reshape(-1).view("u1").data
                digest = hashlib.sha256(data).hexdigest()
                line = IndexLine(picture=picture.name, offset=offset, sha256=digest)
                offset += tensors.write(data)
            index.write(encoder.encode(line) + b"\n")
            if (progress := picture.progress) is not None:
                job.progress(f"{progress.done:,} of {progress.total:,} images", progress)


def _keep_blocks() -> None:
    """Make Pillow keep the memory of one image for the next.

    Otherwise it frees the memory after each image, and allocating it again takes longer than
    decoding: 23 ms instead of 9 ms for a JPEG of one megapixel.
    """
    from PIL import Image

    Image.core.set_blocks_max(_BLOCKS)  # type: ignore[attr-defined] # typed as private


def _pictures(inputs: Mapping[str, Path]) -> Pictures:
    if "pack" in inputs:
        return PackedPictures(inputs["pack"])
    return GivenPictures(
        {
            label.removeprefix(_GIVEN): path
            for label, path in inputs.items()
            if label.startswith(_GIVEN)
        }
    )


def _array(picture: Picture, tensor: Tensor, dims: tuple[int, ...], mean: Any) -> Any:
    if picture.path.stat().st_size > LARGEST_FILE:
        raise PipelineError(Code.TENSOR, f"The file is larger than {LARGEST_FILE} bytes.")
    return image_tensor(picture.path, tensor, dims, picture.name, mean)
