"""wasi-nn tensors as NumPy arrays: little-endian, in C order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pipeline.element_types import ELEMENT_TYPES
from pipeline.host.backend import BackendError

# The types that wasi-nn has, and those whose inputs are given as u8.
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: ELEMENT_TYPES[name].dtype
            for name in ("f16", "f32", "f64", "u8", "i32", "i64", "i8")
        },
        "boolean": "?",
    }
)


def element_of(dtype: Any) -> str:
    """Return wasi-nn's name of a NumPy type, or NumPy's if wasi-nn does not have it.

    >>> import numpy
    >>> element_of(numpy.float32), element_of(numpy.dtype("int8"))
    ('f32', 'i8')
    """
    import numpy

    names = {numpy.dtype(each): name for name, each in DTYPES.items()}
    kind = numpy.dtype(dtype)
    return names.get(kind, str(kind.name))


def zeros(element: str, dims: Sequence[int]) -> Any:
    """Return a new array of zeros."""
    import numpy

    return numpy.zeros(tuple(dims), DTYPES[element])


def bytes_of(array: Any) -> memoryview:
    """Return a view of the bytes of a C-contiguous array; the view keeps the array alive."""
    import numpy

    # A view of the array's own buffer, for any type.
    data: memoryview = array.reshape(-1).view(numpy.uint8).data
    return data


def output_bytes(array: Any) -> memoryview:
    """Return the bytes of a computed array; raises BackendError for strings and objects.

    >>> import numpy
    >>> list(output_bytes(numpy.array([[1, 2], [3, 4]], "u1").T))
    [1, 3, 2, 4]
    """
    import numpy

    if array.dtype.kind in "OSU":
        raise BackendError("wasi-nn has no string tensors")
    return bytes_of(numpy.ascontiguousarray(array))


class Arrays:
    """The inputs of a context as arrays, by index."""

    def __init__(self) -> None:
        self.by_index: dict[int, Any] = {}

    def memory(self, index: int, element: str, dims: Sequence[int]) -> memoryview:
        """Return the bytes of a new array for an input, to be written before each inference."""
        array = self.by_index[index] = zeros(element, dims)
        return bytes_of(array)
