"""Two outputs agree within the noise that was measured, or it is told how they do not."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from pipeline.config.model_tables import Golden
from pipeline.verify.compare import Difference, bound_at, compare, compare_whole
from pipeline.verify.noise_floor import draws_of, quantum_of
from pipeline.verify.tolerance import FACTOR, ULPS, Tolerance, scale_of, tolerance

NONE = Tolerance()
VALUES = numpy.linspace(0.1, 1, 1000, dtype=numpy.float32)


def moved_by(noise: float, values: Any = VALUES) -> list[Any]:
    signs = numpy.random.default_rng(7).choice([-1, 1], (4, *values.shape))
    return [(values + noise * sign).astype(values.dtype) for sign in signs]


def off(index: int, distance: float, values: Any = VALUES) -> Any:
    changed = values.copy()
    changed[index] += distance
    return changed


def test_equal_arrays_agree_without_noise() -> None:
    assert compare(VALUES, VALUES, NONE).agrees
    assert compare(numpy.zeros(3), numpy.zeros(3), NONE).margin == 0


def test_what_is_right_within_a_few_last_places_agrees() -> None:
    last_place = 2.0**-23
    assert compare(off(500, 0.9 * ULPS * last_place), VALUES, NONE).agrees
    assert not compare(off(500, 1.5 * ULPS * last_place), VALUES, NONE).agrees


def test_one_element_outside_is_enough_to_disagree() -> None:
    found = compare(off(517, 0.01), VALUES, NONE, moved_by(1e-4))
    assert not found.agrees
    assert (found.outside, found.elements, found.place) == (1, 1000, "[517]")
    assert found.distance == pytest.approx(0.01, rel=1e-4)
    assert found.floor == pytest.approx(1e-4, rel=1e-2)
    assert found.bound == pytest.approx(FACTOR * found.floor, rel=1e-2)
    assert found.margin == pytest.approx(found.distance / found.bound)


def test_the_bound_is_a_multiple_of_the_noise() -> None:
    others = moved_by(1e-4)
    assert compare(off(517, 0.9 * FACTOR * 1e-4), VALUES, NONE, others).agrees
    assert not compare(off(517, 1.1 * FACTOR * 1e-4), VALUES, NONE, others).agrees


def test_an_element_that_no_draw_moved_has_the_noise_of_the_others() -> None:
    others = moved_by(1e-4)
    for other in others:
        other[517] = VALUES[517]
    assert compare(off(517, 3e-4), VALUES, NONE, others).agrees


def test_the_noise_of_large_elements_is_not_that_of_small_ones() -> None:
    values = numpy.array([*[1e-3] * 1000, 1e3], numpy.float32)
    others = [off(1000, 1.0, values), off(1000, -1.0, values)]
    assert compare(off(1000, 3.0, values), values, NONE, others).agrees
    assert not compare(off(5, 0.5, values), values, NONE, others).agrees


def test_values_beyond_all_others_are_not_their_scale() -> None:
    values = numpy.array([*VALUES, -1e9, -1e9], numpy.float64)
    assert scale_of(values)[0] <= 1e3
    assert not compare(off(3, 0.01, values), values, NONE).agrees
    # A sure class is no such value.
    sure = numpy.array([1.0, *[1e-9] * 1000])
    assert (scale_of(sure) == 1).all()


def test_a_small_output_is_right_within_a_thousandth() -> None:
    # The kernels of functions that end at 1 are right within units of 1.
    values = numpy.array([5.9e-4], numpy.float32)
    assert compare(values + numpy.float32(4.4e-8), values, NONE).agrees
    assert not compare(values * numpy.float32(1.01), values, NONE).agrees
    tiny = values * numpy.float32(1e-9)
    assert not compare(tiny * numpy.float32(1.01), tiny, NONE).agrees


@pytest.mark.parametrize("value", [numpy.nan, numpy.inf, -numpy.inf])
def test_what_is_not_finite_never_agrees(value: float) -> None:
    array = numpy.array([value], numpy.float32)
    found = compare(array, array, Tolerance(absolute=1e9))
    assert not found.agrees
    assert found.note


def test_noise_that_is_not_finite_says_nothing() -> None:
    others = [numpy.full_like(VALUES, numpy.inf), numpy.full_like(VALUES, numpy.nan)]
    assert compare(VALUES, VALUES, NONE, others).noise == 0


def test_axes_of_one_may_differ_but_not_the_rest() -> None:
    assert compare(numpy.ones((1, 4, 1, 1)), numpy.ones((1, 4)), NONE).agrees
    difference = compare(numpy.ones((2, 3)), numpy.ones((3, 2)), NONE)
    assert not difference.agrees
    assert "[2, 3]" in difference.note


def test_the_distances_are_told() -> None:
    difference = compare(numpy.array([1.0, 3.0]), numpy.array([1.0, 2.0]), NONE)
    assert difference.max_absolute == pytest.approx(1.0)
    assert difference.max_relative == pytest.approx(0.5)
    assert difference.cosine == pytest.approx(7 / (10**0.5 * 5**0.5))


def test_another_element_type_never_agrees() -> None:
    difference = compare(numpy.ones(3, numpy.float32), numpy.ones(3, numpy.int64), NONE)
    assert not difference.agrees
    assert difference.note == "types differ: float32 and int64"


def test_a_whole_channel_is_told() -> None:
    values = numpy.ones((1, 4, 5), numpy.float32)
    wrong = values.copy()
    wrong[:, 2] *= 1.5
    assert compare(wrong, values, NONE).place == "channel 2 of axis 1"


def test_what_the_config_allows_widens_and_never_narrows() -> None:
    others = moved_by(1e-3)
    far, near = off(3, 0.1), off(3, 4e-3)
    assert not compare(far, VALUES, NONE, others).agrees
    assert compare(far, VALUES, Tolerance(absolute=0.2), others).agrees
    assert compare(near, VALUES, Tolerance(absolute=1e-9), others).agrees


def test_another_direction_disagrees_but_not_within_the_noise() -> None:
    ours, theirs = numpy.array([1e-3, 0.0]), numpy.array([0.0, 1e-3])
    near = Tolerance(absolute=1e-2, cosine=0.9)
    assert not compare(ours, theirs, near).agrees
    assert compare(ours, theirs, Tolerance(absolute=1e-2)).agrees
    assert compare(ours, theirs, near, [ours]).agrees


def test_how_many_of_the_five_largest_are_the_same_is_told() -> None:
    ours, theirs = numpy.arange(10.0), numpy.arange(10.0)
    theirs[0] = 7.5
    assert compare(ours, theirs, NONE).top_five == 4


def test_the_precision_says_what_weights_lose_whatever_the_scale() -> None:
    golden = Golden(executor="opencv")
    for scale in (1e-3, 1.0, 500.0):
        values = VALUES * numpy.float32(scale)
        far = off(999, 0.02 * scale, values)
        assert not compare(far, values, tolerance(golden, "f32")).agrees
        assert compare(far, values, tolerance(golden, "f16")).agrees
        assert not compare(off(999, 0.1 * scale, values), values, tolerance(golden, "f16")).agrees


def test_the_config_says_why_it_allows_more() -> None:
    golden = Golden(executor="opencv", relative=0.5, cosine=0.5, reason="a sum of squares")
    allowed = tolerance(golden, "f16")
    assert (allowed.relative, allowed.cosine) == (0.5, 0.5)
    assert allowed.reason == "a sum of squares"


@pytest.mark.parametrize("kind", ["i4", "i8", "u1"])
def test_whole_numbers_are_equal_or_wrong(kind: str) -> None:
    theirs = numpy.array([100, 101, 102], kind)
    assert compare_whole(theirs, theirs).agrees
    found = compare_whole(theirs + theirs.dtype.type(1), theirs)
    assert not found.agrees
    assert (found.outside, found.max_absolute, found.bound) == (3, 1.0, 0.0)


def test_large_whole_numbers_are_told_apart() -> None:
    theirs = numpy.array([2**62], numpy.int64)
    assert not compare_whole(theirs + 1, theirs).agrees


def test_a_whole_number_that_the_framework_itself_gives_ties() -> None:
    theirs, ours = numpy.array([7, 285, 3]), numpy.array([7, 282, 3])
    found = compare_whole(ours, theirs, [theirs, numpy.array([7, 282, 3])])
    assert found.agrees
    assert found.ties == 1
    assert not compare_whole(ours, theirs, [numpy.array([7, 281, 3])]).agrees


def test_levels_of_a_quantised_network_may_be_one_off_but_not_all() -> None:
    theirs = numpy.zeros(1000, numpy.uint8)
    theirs[:3] = 200, 30, 9
    assert compare(off(0, 1, theirs), theirs, NONE, quantum=1.0).agrees
    assert not compare(off(0, 2, theirs), theirs, NONE, quantum=1.0).agrees
    found = compare(theirs + numpy.uint8(1), theirs, NONE, quantum=1.0)
    assert not found.agrees
    assert found.margin > 1


def test_a_quantised_network_may_be_off_as_its_framework_is_without_optimisation() -> None:
    theirs = numpy.linspace(-1, 1, 400).astype(numpy.float32)
    step = numpy.float32(quantum_of(theirs))
    ours = theirs + step * numpy.float32(0.9)
    # No draw moves anything where each is less than half a step of the first layer.
    still = [theirs] * draws_of(quantised=True)
    assert not compare(ours, theirs, NONE, still, quantum=float(step)).agrees
    unoptimised = theirs - step * numpy.float32(0.9)
    found = compare(ours, theirs, NONE, [*still, unoptimised], quantum=float(step))
    assert found.agrees
    assert 0.1 < found.margin < 0.2
    # One draw that lies far apart is not usual.
    assert not compare(ours, theirs, NONE, [unoptimised, *still[1:]], quantum=float(step)).agrees


def test_a_number_of_f16_is_right_within_its_own_last_places() -> None:
    theirs = numpy.array([0.5, 1.0], numpy.float16)
    ours = numpy.nextafter(theirs, numpy.float16(2))
    assert compare(ours, theirs, NONE).agrees
    assert not compare(ours * numpy.float16(1.01), theirs, NONE).agrees


def test_how_far_any_element_may_be_is_no_less_than_its_bound() -> None:
    found = compare(off(3, 1e-4), VALUES, NONE, moved_by(1e-4))
    assert bound_at(found, VALUES, NONE) >= found.bound
    assert bound_at(found, VALUES, Tolerance(absolute=3.0)) == 3.0
    assert bound_at(Difference(agrees=True), VALUES, NONE) == 0.0
