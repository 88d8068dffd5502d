"""How to render an output, by its shape."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

_LONG = 2048
_LEAST_SIDE = 4
_MOST_CLASSES = 256
# Maximum relative difference of two aspect ratios that count as equal, since strides round.
_ALIKE = 0.15


class Form(Enum):
    """None (the top values suffice), a curve, a mask over the input, a class map, a piano roll."""

    NONE = "none"
    PLOT = "plot"
    MASK = "mask"
    CLASSES = "classes"
    ROLL = "roll"


def form_of(shape: Sequence[int], picture: tuple[int, int] | None) -> Form:
    """Return the form of an output; ``picture`` is height and width of the input image, if any.

    >>> form_of((1, 1000, 1, 1), (227, 227)), form_of((1, 1, 192, 384), (192, 384))
    (<Form.NONE: 'none'>, <Form.MASK: 'mask'>)
    >>> form_of((1, 172, 88), None), form_of((1, 21, 64, 64), (512, 512))
    (<Form.ROLL: 'roll'>, <Form.CLASSES: 'classes'>)
    >>> form_of((1, 44100), None)
    <Form.PLOT: 'plot'>
    """
    axes = [length for length in shape if length > 1]
    if len(axes) == 1 and axes[0] >= _LONG:
        return Form.PLOT
    if len(axes) == 2 and min(axes) >= _LEAST_SIDE:
        return Form.MASK if _alike(axes, picture) else Form.ROLL
    if len(axes) == 3 and axes[0] <= _MOST_CLASSES and _alike(axes[1:], picture):
        return Form.CLASSES
    return Form.NONE


def _alike(sides: Sequence[int], picture: tuple[int, int] | None) -> bool:
    if picture is None or min(sides) < _LEAST_SIDE:
        return False
    ratio = (sides[0] / sides[1]) / (picture[0] / picture[1])
    return abs(ratio - 1) <= _ALIKE
