"""Comparison of the outputs with the expectation of the config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.config.schema import Expect
from pipeline.errors import Code, PipelineError
from pipeline.verify.expected_array import unmet_mask, unmet_vector
from pipeline.verify.expected_boxes import unmet_boxes


def ranking(array: Any, average: int | None = None, count: int = 5) -> list[tuple[int, float]]:
    """Return (index, value) of the ``count`` largest, largest first; ties by index.

    The output is flattened; with ``average`` it is averaged over that axis first. NaN comes last.
    """
    import numpy

    values = array.astype(numpy.float64)
    if average is not None:
        values = values.mean(axis=average)
    values = numpy.where(numpy.isnan(values), -numpy.inf, values).ravel()
    order = numpy.argsort(-values, kind="stable")[:count]
    return [(int(index), float(values[index])) for index in order]


def position(index: int, shape: Sequence[int], average: int | None) -> tuple[int, ...]:
    """Return the place of a flat index on each axis; empty where at most one axis is long.

    >>> position(7, (1, 2, 5), None), position(7, (1, 10), None), position(3, (4, 5), 0)
    ((0, 1, 2), (), ())
    """
    import numpy

    left = [length for axis, length in enumerate(shape) if axis != average]
    if sum(length > 1 for length in left) < 2:
        return ()
    return tuple(int(each) for each in numpy.unravel_index(index, left))


def labels_of(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the label of each line; WordNet ids, as ImageNet's lists have them, are dropped.

    >>> labels_of(["n02124075 Egyptian cat"])
    ('Egyptian cat',)
    """
    labels = []
    for line in lines:
        first, _, rest = line.partition(" ")
        is_wordnet = len(first) == 9 and first[0] == "n" and first[1:].isdigit()
        labels.append(rest if is_wordnet else line)
    return tuple(labels)


def unmet_expectations(
    expect: Expect,
    outputs: Mapping[str, Any],
    labels: Sequence[str],
    where: str,
    *,
    size: tuple[int, int] = (1, 1),
    files: Mapping[str, Path] = MappingProxyType({}),
) -> list[PipelineError]:
    """Return an error for each part of the expectation that the outputs do not meet.

    ``size`` is height and width of the input image, if there is one; ``files`` are the stored
    ``mask`` and ``vector``. Raises PipelineError (TENSOR) for one that cannot be read.
    """
    name = expect.output or next(iter(outputs))
    if name not in outputs:
        hint = f"The outputs are {', '.join(outputs)}."
        message = f"The expected output {name!r} does not exist."
        return [PipelineError(Code.VERIFY, message, where=where, hint=hint)]
    if expect.average is not None and expect.average >= outputs[name].ndim:
        message = f"Output {name} has no axis {expect.average} to average over."
        found = f"shape {list(outputs[name].shape)}"
        return [PipelineError(Code.VERIFY, message, where=where, found=found)]
    missed = []
    if expect.detections is not None:
        missed += unmet_boxes(expect.detections, outputs, size, labels, where)
    if not outputs[name].size:
        if any(
            (expect.top1 is not None, expect.strongest, expect.tokens, expect.mask, expect.vector)
        ):
            message = f"Output {name} has no elements, and the config expects some."
            found = f"shape {list(outputs[name].shape)}"
            missed.append(PipelineError(Code.VERIFY, message, where=where, found=found))
        return missed
    ranked = ranking(outputs[name], expect.average, max(5, len(expect.strongest)))
    five = "\n".join(f"{_label(index, labels)} {value:.6g}" for index, value in ranked[:5])
    top, value = ranked[0]
    if expect.top1 is not None and top != expect.top1:
        missed.append(
            PipelineError(
                Code.VERIFY,
                "The largest output is of another class than the config expects.",
                where=where,
                expected=_label(expect.top1, labels),
                found=_label(top, labels),
                hint="Check colour order, mean and scale; or correct the config if it is wrong.",
                detail=f"the top five:\n{five}",
            )
        )
    elif expect.value is not None and not abs(value - expect.value) <= (expect.within or 0.0):
        missed.append(
            PipelineError(
                Code.VERIFY,
                "The largest output has another value than the config expects.",
                where=where,
                expected=f"{expect.value:g} within {expect.within:g}",
                found=f"{value:.6g}",
                hint="The class is right: look for swapped colours, another resize kernel or mean.",
                detail=f"the top five:\n{five}",
            )
        )
    if expect.strongest:
        strongest = sorted(index for index, _ in ranked[: len(expect.strongest)])
        if strongest != sorted(expect.strongest):
            missed.append(
                PipelineError(
                    Code.VERIFY,
                    f"The largest values of {name} are not those that the config expects.",
                    where=where,
                    expected=", ".join(map(str, sorted(expect.strongest))),
                    found=", ".join(map(str, strongest)),
                    detail=f"the top five:\n{five}",
                )
            )
    if expect.tokens and (tokens := tokens_of(outputs[name])) != expect.tokens:
        declared, found = _first_difference(expect.tokens, tokens)
        missed.append(
            PipelineError(
                Code.VERIFY,
                f"The tokens of {name} are not those that the config expects.",
                where=where,
                expected=declared,
                found=found,
                hint="Check the vocabulary and the special tokens of the input.",
            )
        )
    if expect.mask is not None:
        missed += unmet_mask(expect.mask, outputs[name], files["mask"], labels, where)
    if expect.vector is not None:
        missed += unmet_vector(expect.vector, outputs[name], expect.average, files["vector"], where)
    return missed


def tokens_of(array: Any) -> tuple[int, ...]:
    """Return whole numbers in order; of floats, the index of the largest along the last axis.

    >>> import numpy
    >>> tokens_of(numpy.array([[7, 2]])), tokens_of(numpy.array([[0.1, 0.9], [2.0, 1.0]]))
    ((7, 2), (1, 0))
    """
    import numpy

    if array.dtype.kind != "f":
        return tuple(map(int, array.ravel()))
    values = numpy.where(numpy.isnan(array), -numpy.inf, numpy.atleast_1d(array))
    return tuple(map(int, values.argmax(axis=-1).ravel()))


def _first_difference(expected: Sequence[int], found: Sequence[int]) -> tuple[str, str]:
    """Return the first token that differs in each, or their numbers."""
    if len(expected) != len(found):
        return f"{len(expected)} tokens", str(len(found))
    at = next(at for at, pair in enumerate(zip(expected, found, strict=True)) if len({*pair}) > 1)
    return f"{expected[at]} at position {at}", str(found[at])


def _label(index: int, labels: Sequence[str]) -> str:
    return f"{index} {labels[index]}" if index < len(labels) else str(index)
