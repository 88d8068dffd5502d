"""The outputs of a failed case beside the expected ones, limited in size, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from pipeline.verify.expectation import ranking

_FARTHEST = 10
_LARGEST = 5
_MOST_OUTPUTS = 16
_MOST_LETTERS = 120


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """One element of two arrays and its difference; as text, since JSON has no NaN."""

    index: tuple[int, ...]
    ours: str
    theirs: str
    difference: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """An output beside the same of another executor.

    ``farthest`` are the elements that differ most, ``largest`` the largest of either;
    ``differing`` counts those that are not equal, of ``elements``. ``note`` says why they cannot
    be compared, if so.
    """

    output: str
    executor: str
    type: str
    shape: tuple[int, ...]
    elements: int
    differing: int = 0
    farthest: tuple[Beside, ...] = ()
    largest: tuple[Beside, ...] = ()
    note: str = ""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One of the largest values of the judged output, as text."""

    index: int
    label: str
    value: str


class FailedCase(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of a failed case: ``compared`` has at most 16.

    ``left_out`` counts those beyond. ``top`` are the five largest values of the judged output,
    ``expected`` what the config asks of them.
    """

    compared: tuple[Compared, ...]
    left_out: int
    top: tuple[Value, ...]
    expected: str


@dataclass(frozen=True)
class Pair:
    """An output of ours and the same of ``executor``, as arrays."""

    output: str
    executor: str
    ours: Any
    theirs: Any


def pairs(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], executor: str, *, differing: bool = False
) -> list[Pair]:
    """Return each output of both as a pair; with ``differing`` only those of other bytes."""
    return [
        Pair(name, executor, array, theirs[name])
        for name, array in ours.items()
        if not differing or array.tobytes() != theirs[name].tobytes()
    ]


def failed_case(
    pairs: Sequence[Pair],
    judged: Any | None,
    average: int | None,
    labels: Sequence[str],
    expected: str,
) -> dict[str, Any]:
    """Return a FailedCase as plain data.

    ``judged`` is the array that the config speaks of, averaged over the axis ``average`` where it
    has one; None where there is no such output.
    """
    if judged is not None and average is not None and average >= judged.ndim:
        average = None
    top = [] if judged is None else ranking(judged, average, _LARGEST)
    found: dict[str, Any] = msgspec.to_builtins(
        FailedCase(
            compared=tuple(beside(pair) for pair in pairs[:_MOST_OUTPUTS]),
            left_out=max(0, len(pairs) - _MOST_OUTPUTS),
            top=tuple(
                Value(
                    index=index,
                    label=_short(labels[index]) if index < len(labels) else "",
                    value=f"{value:.6g}",
                )
                for index, value in top
            ),
            expected=_short(expected),
        )
    )
    return found


def beside(pair: Pair) -> Compared:
    """Return where two arrays differ most, largest difference first; NaN before all others.

    >>> import numpy
    >>> found = beside(Pair("y", "onnxruntime", numpy.array([1, 5, 3]), numpy.array([1, 2, 3])))
    >>> found.differing, found.farthest[0].index, found.farthest[0].difference
    (1, (1,), '3')
    """
    import numpy

    ours, theirs = pair.ours, pair.theirs
    about: dict[str, Any] = {
        "output": _short(pair.output),
        "executor": _short(pair.executor),
        "type": str(ours.dtype),
        "shape": tuple(int(each) for each in ours.shape),
        "elements": int(ours.size),
    }
    if ours.size != theirs.size:
        note = f"its shape is {list(ours.shape)}, the other's {list(theirs.shape)}"
        return Compared(**about, note=note)
    a, b = ours.ravel(), theirs.ravel()
    with numpy.errstate(invalid="ignore", over="ignore"):
        distance = numpy.abs(a.astype(numpy.float64) - b.astype(numpy.float64))
    differs = a != b
    # The difference of equal infinities is NaN.
    distance = numpy.where(differs, distance, 0.0)
    rank = numpy.where(numpy.isnan(distance), numpy.inf, distance)
    order = numpy.argsort(-rank, kind="stable")[:_FARTHEST]
    largest = dict.fromkeys(
        index for array in (a, b) for index, _ in ranking(array, count=_LARGEST)
    )
    shape = ours.shape

    def at(index: int) -> Beside:
        place = tuple(int(each) for each in numpy.unravel_index(index, shape))
        one, other = a[index].item(), b[index].item()
        return Beside(
            index=place,
            ours=_figure(one),
            theirs=_figure(other),
            difference=_figure(abs(one - other)) if one != other else "0",
        )

    return Compared(
        **about,
        differing=int(differs.sum()),
        farthest=tuple(at(int(index)) for index in order if differs[index]),
        largest=tuple(at(index) for index in largest),
    )


def _figure(value: float) -> str:
    return str(value) if isinstance(value, (bool, int)) else f"{value:.6g}"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"
