"""wasi-nn tensors as NumPy arrays: little-endian, in C order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pipeline.host.abi.enums import TENSOR_TYPES
from pipeline.host.backend import BackendError

# The types that wasi-nn has.
DTYPES: Mapping[str, str] = MappingProxyType({each.name: each.dtype for each in TENSOR_TYPES[2023]})


def element_of(dtype: Any) -> str:
    """Return wasi-nn's name of a NumPy type, or NumPy's if wasi-nn does not have it.

    >>> import numpy
    >>> element_of(numpy.float32), element_of(numpy.dtype("int8"))
    ('f32', 'int8')
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


_NOWHERE: tuple[str, tuple[int, ...], memoryview] = ("", (), memoryview(b""))


class Arrays:
    """The inputs of a context, in arrays that are reused while type and shape stay the same."""

    def __init__(self) -> None:
        self.by_index: dict[int, Any] = {}
        self._places: dict[int, tuple[str, tuple[int, ...], memoryview]] = {}

    def set(self, index: int, element: str, dims: Sequence[int], data: memoryview) -> bool:
        """Copy the data of an input; return whether that allocated a new array."""
        element_now, dims_now, place = self._places.get(index, _NOWHERE)
        new = element_now != element or dims_now != tuple(dims)
        if new:
            array = self.by_index[index] = zeros(element, dims)
            place = bytes_of(array)
            self._places[index] = (element, tuple(dims), place)
        place[:] = data
        return new

    def forget(self, index: int) -> None:
        """Make the next ``set`` of an input allocate a new array."""
        del self.by_index[index], self._places[index]
