"""Two arrays agree within a stated tolerance, or it is told how they do not."""

from __future__ import annotations

import numpy
import pytest

from pipeline.config.model_tables import Golden
from pipeline.verify.compare import compare
from pipeline.verify.tolerance import Tolerance, tolerance

ANYTHING = Tolerance(absolute=1e9, relative=1e9, cosine=0.0)


def agrees(a: object, b: object, absolute: float = 0.0, relative: float = 0.0) -> bool:
    allowed = Tolerance(absolute=absolute, relative=relative, cosine=0.0)
    return compare(numpy.asarray(a, numpy.float32), numpy.asarray(b, numpy.float32), allowed).agrees


def test_equal_arrays_agree_without_tolerance() -> None:
    assert agrees([1, 2], [1, 2])


def test_one_element_outside_is_enough_to_disagree() -> None:
    close = numpy.ones(1000)
    far = close.copy()
    far[517] = 1.5
    assert not agrees(close, far, absolute=0.1)
    assert agrees(close, far, absolute=0.6)


def test_the_relative_part_grows_with_their_value() -> None:
    assert agrees([1010.0], [1000.0], relative=0.011)
    assert not agrees([10.2], [10.0], relative=0.011)


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_what_is_not_finite_never_agrees(value: float) -> None:
    assert not agrees([value], [value], absolute=1e9)


def test_axes_of_one_may_differ_but_not_the_rest() -> None:
    assert agrees(numpy.ones((1, 4, 1, 1)), numpy.ones((1, 4)))
    difference = compare(numpy.ones((2, 3)), numpy.ones((3, 2)), ANYTHING)
    assert not difference.agrees
    assert "[2, 3]" in difference.note


def test_the_distances_are_told() -> None:
    difference = compare(numpy.array([1.0, 3.0]), numpy.array([1.0, 2.0]), ANYTHING)
    assert difference.max_absolute == pytest.approx(1.0)
    assert difference.max_relative == pytest.approx(0.5)
    assert difference.cosine == pytest.approx(7 / (10**0.5 * 5**0.5))


def test_another_element_type_never_agrees() -> None:
    difference = compare(numpy.ones(3, numpy.float32), numpy.ones(3, numpy.int64), ANYTHING)
    assert not difference.agrees
    assert difference.note == "types differ: float32 and int64"


def test_another_direction_disagrees_where_every_element_is_near() -> None:
    ours, theirs = numpy.array([1e-3, 0.0]), numpy.array([0.0, 1e-3])
    near = Tolerance(absolute=1e-2, relative=0.0, cosine=0.9)
    assert not compare(ours, theirs, near).agrees
    assert compare(ours, theirs, Tolerance(absolute=1e-2, relative=0.0, cosine=0.0)).agrees


def test_how_many_of_the_five_largest_are_the_same_is_told() -> None:
    ours, theirs = numpy.arange(10.0), numpy.arange(10.0)
    theirs[0] = 7.5
    assert compare(ours, theirs, ANYTHING).top_five == 4


def test_the_precision_says_what_the_config_leaves_open() -> None:
    golden = Golden(executor="opencv", relative=0.5)
    assert tolerance(golden, "f16").absolute > tolerance(golden, "f32").absolute
    assert tolerance(golden, "f16").relative == 0.5
