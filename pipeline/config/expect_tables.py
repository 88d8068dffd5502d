"""Tables of expected outputs that are more than numbers: boxes, a mask, a vector."""

from __future__ import annotations

from typing import Annotated

import msgspec

from pipeline.config.tables import Index, Number, Table, Text

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class ExpectedBox(Table, frozen=True):
    """One box: the index of its class, and its sides as shares of the input image."""

    box: tuple[Number, Number, Number, Number]
    """Left, top, right and bottom, from 0 to 1."""
    index: Index | None = None
    """Index of the class, if the model has classes."""


class ExpectedDetections(Table, frozen=True):
    """All boxes with a score of at least ``score``, after non-maximum suppression, in any order.

    Each expected box is found with its class and an intersection over union of at least
    ``overlap``, and there is no further one. The layouts of SSD, TensorFlow, TorchVision and YOLO
    are read.
    """

    boxes: Annotated[tuple[ExpectedBox, ...], msgspec.Meta(min_length=1)]
    """The boxes."""
    score: Share = 0.3
    """Lowest score of a box that counts; keep it apart from the scores of the boxes."""
    overlap: Share = 0.9
    """Least intersection over union of a box and the expected one."""


class ExpectedMask(Table, frozen=True):
    """The class of each position: a NumPy .npy file of whole numbers, rows by columns.

    Of an output with an axis of classes, the class is that of the largest value; of a single
    floating-point map, it is 1 where the value is above 0.5.
    """

    source: Text
    """Source of the .npy file."""
    overlap: Share = 0.95
    """Least intersection over union of each class that the file has."""


class ExpectedVector(Table, frozen=True):
    """A vector with nearly the same direction: a NumPy .npy file of floating-point numbers."""

    source: Text
    """Source of the .npy file."""
    cosine: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.999
    """Least cosine of the output, flattened, and the vector."""
