"""The spec of a raw tensor, as text and as file name such as ``cat-1x3x227x227-f32.bgr``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import cast, get_args

from pipeline.config.tensor_tables import ElementType, Tensor
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError

_SUFFIX = {"RGB": "rgb", "BGR": "bgr", "GRAY": "gray", "RGBA": "rgba", None: "raw"}
_COLOUR = {suffix: colour for colour, suffix in _SUFFIX.items()}
_DIM = "(?:0|[1-9][0-9]*)"
_NAME = re.compile(
    r"(?P<case>[a-z0-9][a-z0-9_-]*?)(?:\.(?P<input>[A-Za-z0-9_-]+))?"
    rf"-(?P<dims>{_DIM}(?:x{_DIM})*)-(?P<type>[a-z0-9]+)\.(?P<colour>[a-z]+)"
)
_NUMBER = r"-?[0-9.]+(?:e[+-]?[0-9]+)?"
_TEXT = re.compile(
    rf"(?P<dims>{_DIM}(?:x{_DIM})*) (?P<type>[a-z0-9]+)"
    r"(?: (?P<layout>[NCDHW]{2,5}))?"
    r"(?: (?P<colour>RGB|BGR|GRAY|RGBA))?(?: (?P<range>0-255|0-1))?"
    r"(?P<mean_image> mean-image)?"
    rf"(?: mean (?P<mean>{_NUMBER}(?:,{_NUMBER})*))?(?: scale (?P<scale>{_NUMBER}(?:,{_NUMBER})*))?"
)


@dataclass(frozen=True)
class TensorSpec:
    """The shape, type and meaning of a raw tensor, little-endian and dense.

    ``colour``, ``layout`` and ``range`` (the values that 0 and 255 were mapped to) are None if
    unknown or not an image. After the range, ``mean`` was subtracted from each channel, or a
    ``mean_image`` from each pixel, and the channels were then divided by ``scale``, both in the
    order of ``colour``.

    >>> TensorSpec((1, 3, 227, 227), "f32", "BGR", "NCHW").size
    618348
    """

    dims: tuple[int, ...]
    type: ElementType
    colour: str | None
    layout: str | None
    range: str | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    mean_image: bool = False

    @classmethod
    def of(cls, table: Tensor, dims: tuple[int, ...]) -> TensorSpec:
        """Return the spec of a tensor of ``dims`` declared by a config's table."""
        treated = table.range, table.mean, table.scale, table.mean_image is not None
        return cls(dims, table.type, table.colour, table.layout, *treated)

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return math.prod(self.dims) * ELEMENT_TYPES[self.type].size

    def __str__(self) -> str:
        """Return this spec as text, which ``parse_spec`` reads.

        >>> str(TensorSpec((1, 3, 8, 8), "f32", "BGR", "NCHW", "0-255", (104.0, 117.0, 123.5)))
        '1x3x8x8 f32 NCHW BGR 0-255 mean 104,117,123.5'
        """
        words = ["x".join(map(str, self.dims)), self.type, self.layout, self.colour, self.range]
        if self.mean_image:
            words.append("mean-image")
        for name in ("mean", "scale"):
            if numbers := getattr(self, name):
                words += [name, ",".join(repr(each).removesuffix(".0") for each in numbers)]
        return " ".join(word for word in words if word)


def parse_spec(text: str) -> TensorSpec:
    """Parse the text of a spec; raises PipelineError (TENSOR).

    >>> parse_spec("1x224x224x3 u8 NHWC RGB 0-255").size
    150528
    """
    found = _TEXT.fullmatch(text)
    try:
        if found is None or found["type"] not in ELEMENT_TYPES:
            raise ValueError
        mean, scale = (
            tuple(float(each) for each in (found[key] or "").split(",") if each)
            for key in ("mean", "scale")
        )
    except ValueError:
        raise PipelineError(
            Code.TENSOR,
            "Invalid tensor spec.",
            where=text,
            expected="<dims> <type> [<layout>] [<colour>] [<range>] [mean-image] [mean <m,…>] "
            "[scale <s,…>]",
        ) from None
    return TensorSpec(
        tuple(int(axis) for axis in found["dims"].split("x")),
        cast(ElementType, found["type"]),
        *(found["colour"], found["layout"], found["range"], mean, scale),
        mean_image=found["mean_image"] is not None,
    )


def file_name(spec: TensorSpec, case: str | None, part: str | None = None) -> str:
    """Return the tensor's file name, ``tensor-…`` without a case.

    ``part`` is that of one input or output among several, as ``file_parts`` gives it.

    >>> file_name(TensorSpec((1, 43844, 1), "f32", None, None), None)
    'tensor-1x43844x1-f32.raw'
    """
    name = f"{case or 'tensor'}.{part}" if part else case or "tensor"
    dims = "x".join(map(str, spec.dims))
    return f"{name}-{dims}-{spec.type}.{_SUFFIX[spec.colour]}"


def parse_file_name(name: str) -> tuple[str, str | None, TensorSpec]:
    """Parse a file name to the case, the model input and the spec.

    A name does not state the layout, which is None. Raises PipelineError (TENSOR).

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
            "The file name is not that of a tensor.",
            where=name,
            expected="<name>[.<input>]-<dims>-<type>.<colour>, as in cat-1x3x227x227-f32.bgr",
            hint=f"Types are {', '.join(get_args(ElementType))}; colours are {', '.join(_COLOUR)}.",
        )
    dims = tuple(int(axis) for axis in found["dims"].split("x"))
    spec = TensorSpec(dims, cast(ElementType, found["type"]), _COLOUR[found["colour"]], None)
    return found["case"], found["input"], spec
