"""What a raw tensor is, and its speaking name: ``cat-1x3x227x227-f32.bgr``, both ways."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import cast, get_args

from pipeline.config.case_rules import sanitised
from pipeline.config.tensor_tables import ElementType
from pipeline.errors import Code, PipelineError

_BYTES = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8, "u8": 1, "i8": 1, "i32": 4, "i64": 8}
_SUFFIX = {"RGB": "rgb", "BGR": "bgr", "GRAY": "gray", "RGBA": "rgba", None: "raw"}
_COLOUR = {suffix: colour for colour, suffix in _SUFFIX.items()}
_NAME = re.compile(
    r"(?P<case>[a-z0-9][a-z0-9_-]*?)(?:\.(?P<input>[A-Za-z0-9_-]+))?"
    r"-(?P<dims>[1-9][0-9]*(?:x[1-9][0-9]*)*)-(?P<type>[a-z0-9]+)\.(?P<colour>[a-z]+)"
)


@dataclass(frozen=True)
class TensorSpec:
    """The shape, element type, colour order and layout of a raw tensor, little-endian and dense.

    ``colour`` and ``layout`` are None for what is no picture.

    >>> TensorSpec((1, 3, 227, 227), "f32", "BGR", "NCHW").size
    618348
    """

    dims: tuple[int, ...]
    type: ElementType
    colour: str | None
    layout: str | None

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return math.prod(self.dims) * _BYTES[self.type]


def file_name(spec: TensorSpec, case: str | None, model_input: str | None = None) -> str:
    """Return the tensor's file name; without a case it is ``tensor-…``.

    >>> file_name(TensorSpec((1, 43844, 1), "f32", None, None), None)
    'tensor-1x43844x1-f32.raw'
    """
    part = f".{sanitised(model_input)}" if model_input else ""
    dims = "x".join(map(str, spec.dims))
    return f"{case or 'tensor'}{part}-{dims}-{spec.type}.{_SUFFIX[spec.colour]}"


def parse_file_name(name: str) -> tuple[str, str | None, TensorSpec]:
    """Return the case, the model input and the spec that a file name tells.

    A name does not tell the layout, which is None. Raises PipelineError (TENSOR).

    >>> parse_file_name("cat-1x3x227x227-f32.bgr")[0]
    'cat'
    """
    found = _NAME.fullmatch(name)
    if (
        found is None
        or found["type"] not in get_args(ElementType)
        or found["colour"] not in _COLOUR
    ):
        raise PipelineError(
            Code.TENSOR,
            "The file name does not tell what the tensor is.",
            where=name,
            expected="<name>[.<input>]-<dims>-<type>.<colour>, as in cat-1x3x227x227-f32.bgr",
            hint=f"Types are {', '.join(get_args(ElementType))}; colours are {', '.join(_COLOUR)}.",
        )
    dims = tuple(int(axis) for axis in found["dims"].split("x"))
    spec = TensorSpec(dims, cast(ElementType, found["type"]), _COLOUR[found["colour"]], None)
    return found["case"], found["input"], spec
