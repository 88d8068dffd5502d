"""Inputs move by rounding alone, and the floor is what the outputs then move by."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from pipeline.verify.noise import DRAWS, moved, noise_floor


def test_floats_move_by_one_unit_in_the_last_place_up_or_down() -> None:
    values = numpy.array([-3.5, 0.0, 1e-3, 255.0], numpy.float32)
    draws = moved({"x": values}, quantised=False)
    assert len(draws) == DRAWS
    for draw in draws:
        ulps = (draw["x"].astype(float) - values) / numpy.spacing(numpy.abs(values))
        assert ulps.tolist() == pytest.approx([ulps[0], 0, ulps[2], ulps[3]])
        assert all(abs(abs(ulps[index]) - 1) < 1e-6 for index in (0, 2, 3))
        assert draw["x"].dtype == values.dtype


def test_the_draws_are_the_same_each_time_and_differ_from_each_other() -> None:
    values = numpy.linspace(-1, 1, 100, dtype=numpy.float32)
    one, other = (moved({"x": values}, quantised=False) for _ in range(2))
    assert all((a["x"] == b["x"]).all() for a, b in zip(one, other, strict=True))
    assert len({draw["x"].tobytes() for draw in one}) == DRAWS


def test_double_precision_moves_by_what_a_network_of_floats_can_see() -> None:
    values = numpy.array([1.0])
    [value] = moved({"x": values}, quantised=False)[0]["x"]
    assert abs(value - 1) >= 2.0**-24


@pytest.mark.parametrize("kind", [numpy.int32, numpy.int64])
def test_whole_numbers_stay(kind: type) -> None:
    values: Any = numpy.arange(50, dtype=kind)
    for quantised in (True, False):
        assert all(
            (draw["x"] == values).all() for draw in moved({"x": values}, quantised=quantised)
        )


@pytest.mark.parametrize("kind", [numpy.uint8, numpy.float32])
def test_pixels_of_a_quantised_network_move_by_one_where_they_can(kind: type) -> None:
    pixels: Any = numpy.random.default_rng(1).integers(0, 256, (64, 64)).astype(kind)
    draws = moved({"x": pixels}, quantised=True)
    assert len(draws) > DRAWS
    for draw in draws:
        steps = draw["x"].astype(int) - pixels.astype(int)
        assert set(numpy.unique(steps)) == {-1, 0, 1}
        assert 0.05 < (steps != 0).mean() < 0.12
        assert draw["x"].dtype == pixels.dtype


def test_other_inputs_of_a_quantised_network_move_by_a_255th_of_their_range() -> None:
    values = numpy.linspace(-2.55, 2.55, 4096, dtype=numpy.float32)
    for draw in moved({"x": values}, quantised=True):
        steps = numpy.abs(draw["x"] - values)[32:-32]  # the ends stay within the range
        assert numpy.unique(steps.round(4)).tolist() == pytest.approx([0, 0.02], abs=1e-4)


def test_the_floor_is_the_largest_movement_that_may_be_an_elements_own() -> None:
    answer = numpy.array([1.0, 2.0, 100.0])
    floor = noise_floor(answer, [numpy.array([1.0, 2.2, 100.0]), numpy.array([1.1, 2.0, 107.0])])
    # 2 is at most four times 1, and 100 is not.
    assert floor[0] == floor[1]
    assert floor[2] == pytest.approx(7)
    assert floor[0] == pytest.approx(((0.1**2 + 0.2**2 + 7**2) / 3) ** 0.5)


def test_without_movement_there_is_no_floor() -> None:
    answer = numpy.arange(5.0)
    assert noise_floor(answer, []).tolist() == [0] * 5
    assert noise_floor(answer, [answer, numpy.arange(7.0)]).tolist() == [0] * 5
