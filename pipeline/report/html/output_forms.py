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
    """Numbers as text, a curve, a mask over the input, a class map, a piano roll.

    A map has the score of each class (``CLASSES``), first or last, or the class itself.
    """

    NONE = "none"
    PLOT = "plot"
    MASK = "mask"
    CLASSES = "classes"
    CLASSES_LAST = "classes last"
    CLASS_MAP = "class map"
    ROLL = "roll"


def form_of(shape: Sequence[int], picture: tuple[int, int] | None, *, whole: bool = False) -> Form:
    """Return the form of an output; ``picture`` is height and width of the input image, if any.

    ``whole`` is whether its elements are integers.

    >>> form_of((1, 1000, 1, 1), (227, 227)), form_of((1, 1, 192, 384), (192, 384))
    (<Form.NONE: 'none'>, <Form.MASK: 'mask'>)
    >>> form_of((1, 172, 88), None), form_of((1, 21, 64, 64), (512, 512))
    (<Form.ROLL: 'roll'>, <Form.CLASSES: 'classes'>)
    >>> form_of((1, 64, 64, 21), (512, 512)), form_of((1, 64, 64), (512, 512), whole=True)
    (<Form.CLASSES_LAST: 'classes last'>, <Form.CLASS_MAP: 'class map'>)
    >>> form_of((1, 44100), None)
    <Form.PLOT: 'plot'>
    """
    axes = [length for length in shape if length > 1]
    if len(axes) == 1 and axes[0] >= _LONG:
        return Form.PLOT
    if len(axes) == 2 and min(axes) >= _LEAST_SIDE:
        if not _alike(axes, picture):
            return Form.ROLL
        return Form.CLASS_MAP if whole else Form.MASK
    if len(axes) == 3:
        first = axes[0] <= _MOST_CLASSES and _alike(axes[1:], picture)
        last = axes[2] <= _MOST_CLASSES and _alike(axes[:2], picture)
        # Where both could be meant, there are fewer classes than rows or columns.
        if first and not (last and axes[2] < axes[0]):
            return Form.CLASSES
        if last:
            return Form.CLASSES_LAST
    return Form.NONE


def _alike(sides: Sequence[int], picture: tuple[int, int] | None) -> bool:
    if picture is None or min(sides) < _LEAST_SIDE:
        return False
    ratio = (sides[0] / sides[1]) / (picture[0] / picture[1])
    return abs(ratio - 1) <= _ALIKE
