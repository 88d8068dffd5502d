"""Comparison of an output with a stored array: a segmenter's mask, an encoder's vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config.expect_tables import ExpectedMask, ExpectedVector
from pipeline.config.schema import Expect
from pipeline.config.tensor_tables import StoredArray
from pipeline.errors import Code, PipelineError
from pipeline.tensor.stored_array import array_shape, read_array

_THRESHOLD = 0.5
_MOST_CLASSES = 256


def expected_files(case: str, expect: Expect) -> dict[str, str]:
    """Return the files that a case is compared with: what it expects, and the name of each.

    >>> from pipeline.config.expect_tables import ExpectedVector
    >>> expected_files("cat", Expect(vector=ExpectedVector(source="embedding")))
    {'vector': 'cat-vector.npy'}
    """
    kinds = {"mask": expect.mask, "vector": expect.vector}
    return {kind: f"{case}-{kind}.npy" for kind, table in kinds.items() if table is not None}


def unmet_mask(
    expect: ExpectedMask, array: Any, path: Path, labels: Sequence[str], where: str
) -> list[PipelineError]:
    """Return an error if a class of the stored mask is elsewhere in the output.

    Raises PipelineError (TENSOR) for a file that cannot be read.
    """
    mask = _stored(path, where, whole=True)
    classes = class_map(array, mask.shape)
    if classes is None:
        sides = f"{mask.shape[0]} x {mask.shape[1]}" if mask.ndim == 2 else str(list(mask.shape))
        return [
            PipelineError(
                Code.VERIFY,
                "The output is not a map of classes of the mask's size.",
                where=where,
                expected=f"{sides}, and an axis of classes or none",
                found=str(list(array.shape)),
            )
        ]
    if len(_classes(mask)) > _MOST_CLASSES:
        message = "The mask has too many classes."
        found = str(len(_classes(mask)))
        expected = f"at most {_MOST_CLASSES}"
        return [PipelineError(Code.TENSOR, message, where=where, expected=expected, found=found)]
    fits = {class_: _overlap(classes == class_, mask == class_) for class_ in _classes(mask)}
    worst = min(fits, key=lambda class_: fits[class_])
    if fits[worst] >= expect.overlap:
        return []
    label = f" {labels[worst]}" if 0 <= worst < len(labels) else ""
    shares = ", ".join(f"{class_} {float((classes == class_).mean()):.0%}" for class_ in fits)
    return [
        PipelineError(
            Code.VERIFY,
            f"Class {worst}{label} is not where the mask has it.",
            where=where,
            expected=f"an intersection over union of at least {expect.overlap:g}",
            found=f"{fits[worst]:.3f}; the shares of the mask's classes are {shares}",
            hint="Check colour order, mean, scale and the layout; or correct the mask.",
        )
    ]


def unmet_vector(
    expect: ExpectedVector, array: Any, average: int | None, path: Path, where: str
) -> list[PipelineError]:
    """Return an error if the output, averaged and flattened, has another direction.

    Raises PipelineError (TENSOR) for a file that cannot be read.
    """
    import numpy

    stored = _stored(path, where, whole=False).astype(numpy.float64).ravel()
    ours = array.astype(numpy.float64)
    ours = (ours if average is None else ours.mean(axis=average)).ravel()
    if ours.size != stored.size:
        return [
            PipelineError(
                Code.VERIFY,
                "The output and the stored vector have different lengths.",
                where=where,
                expected=str(stored.size),
                found=str(ours.size),
                hint="Set average to the axis of the tokens, if the vector is their mean.",
            )
        ]
    length = float(numpy.linalg.norm(ours) * numpy.linalg.norm(stored))
    cosine = float(ours @ stored) / length if length else 0.0
    # Also false for NaN.
    if cosine >= expect.cosine:
        return []
    return [
        PipelineError(
            Code.VERIFY,
            "The output has another direction than the stored vector.",
            where=where,
            expected=f"a cosine of at least {expect.cosine:g}",
            found=f"{cosine:.6f}",
            hint="Check the tokenizer, its special tokens and the mask; or correct the vector.",
        )
    ]


def class_map(array: Any, sides: Sequence[int]) -> Any | None:
    """Return the class of each position, of the size ``sides``; None for another shape.

    >>> import numpy
    >>> class_map(numpy.array([[[0.1, 0.7]], [[0.2, 0.6]]]), (1, 2)).tolist()
    [[1, 0]]
    """
    import numpy

    if _long(array.shape) == _long(sides):
        flat = array.reshape(sides)
        return flat if flat.dtype.kind in "iu" else (flat > _THRESHOLD).astype(numpy.int64)
    planes = array
    while planes.ndim > 3 and planes.shape[0] == 1:
        planes = planes[0]
    if planes.ndim != 3 or planes.dtype.kind != "f":
        return None
    if planes.shape[1:] == tuple(sides):
        return planes.argmax(axis=0)
    return planes.argmax(axis=2) if planes.shape[:2] == tuple(sides) else None


def _long(shape: Sequence[int]) -> list[int]:
    return [length for length in shape if length > 1]


def _classes(mask: Any) -> list[int]:
    import numpy

    return [int(each) for each in numpy.unique(mask)]


def _overlap(one: Any, other: Any) -> float:
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 1.0


def _stored(path: Path, where: str, *, whole: bool) -> Any:
    shape = array_shape(path, None, where)
    array = None if shape is None else read_array(path, StoredArray(source=""), shape, where)
    kinds = "iu" if whole else "f"
    rank = array is not None and (array.ndim == 2 or not whole)
    if array is None or array.dtype.kind not in kinds or not array.size or not rank:
        what = "whole numbers, rows by columns" if whole else "floating-point numbers"
        raise PipelineError(
            Code.TENSOR,
            f"{path.name} is not an array to compare with.",
            where=where,
            expected=f"a .npy file of {what}",
            found="no .npy file" if array is None else f"{array.dtype} {list(array.shape)}",
        )
    return array
