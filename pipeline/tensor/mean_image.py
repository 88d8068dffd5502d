"""The mean image of a Caffe model: what to subtract from each pixel of a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pipeline.config.tensor_rules import CHANNELS
from pipeline.config.tensor_tables import StoredArray, Tensor
from pipeline.errors import Code, PipelineError
from pipeline.tensor.blob_proto import read_blob_proto
from pipeline.tensor.stored_array import array_shape, read_array

_NUMPY = (b"\x93NUMPY", b"PK\x03\x04")
_LONGEST_SIDE = 2048
_MOST_ELEMENTS = 3 * _LONGEST_SIDE**2
_LARGEST_FILE = _MOST_ELEMENTS * 8 + (1 << 16)
_BRIGHTEST = 255.0


def read_mean_image(path: Path, tensor: Tensor, dims: tuple[int, ...], name: str) -> Any:
    """Return a mean image: rows × columns × channels, in the tensor's colour order.

    The file is a BlobProto or a .npy, of channels × rows × columns in BGR or grey, as Caffe has
    it. Raises PipelineError (TENSOR) for other channels, a size less than that of the tensor,
    values that no mean of pixels has, and a damaged file.
    """
    import numpy

    assert tensor.layout is not None
    assert tensor.colour is not None
    array = _stored(path, name)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[numpy.newaxis]
    channels = CHANNELS[tensor.colour]
    height, width = (dims[tensor.layout.index(axis)] for axis in "HW")
    shown = "x".join(map(str, array.shape))
    if array.ndim != 3 or array.shape[0] != channels:
        expected = f"{channels} x rows x columns, for {tensor.colour}"
        raise _refused(path, name, "The mean image has another shape.", expected, shown)
    _, rows, columns = array.shape
    if rows < height or columns < width or max(rows, columns) > _LONGEST_SIDE:
        expected = f"from {height}x{width}, the input's size, to {_LONGEST_SIDE}x{_LONGEST_SIDE}"
        raise _refused(path, name, "The mean image has another size.", expected, shown)
    if not ((array >= 0) & (array <= _BRIGHTEST)).all():
        raise _refused(
            path,
            name,
            "The mean image has values that no mean of pixels has.",
            "numbers from 0 to 255",
            f"{array.min():g} to {array.max():g}",
        )
    if tensor.shorter is not None and tensor.shorter < max(rows, columns):
        message = "shorter is less than the size of the mean image."
        expected = f"at least {max(rows, columns)}"
        raise _refused(path, name, message, expected, str(tensor.shorter))
    array = array.transpose(1, 2, 0)
    return array[:, :, ::-1] if tensor.colour == "RGB" else array


def _stored(path: Path, name: str) -> Any:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        if data.startswith(_NUMPY):
            shape = array_shape(path, None, name) or ()
            if len(shape) not in (2, 3, 4) or not 1 <= math.prod(shape) <= _MOST_ELEMENTS:
                expected = f"channels x rows x columns, up to 3x{_LONGEST_SIDE}x{_LONGEST_SIDE}"
                shown = "x".join(map(str, shape)) or "no array, or several"
                raise _refused(path, name, "The mean image has another shape.", expected, shown)
            return read_array(path, StoredArray(source="mean image"), shape, name)
        if len(data) > _LARGEST_FILE:
            raise ValueError(f"more than {_LARGEST_FILE} bytes")
        return read_blob_proto(data)
    except (OSError, ValueError) as error:
        expected = "Caffe's BlobProto, such as mean.binaryproto, or a .npy"
        message = "The mean image cannot be read."
        raise _refused(path, name, message, expected, str(error)[:200]) from None


def _refused(path: Path, name: str, message: str, expected: str, found: str) -> PipelineError:
    where = f"{name}, {path.name}"
    return PipelineError(Code.TENSOR, message, where=where, expected=expected, found=found)
