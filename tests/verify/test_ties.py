"""Two indices are both right where their scores tie within the noise."""

from __future__ import annotations

import numpy
import pytest

from pipeline.verify.ties import tied

SCORES = numpy.array([[0.1, 0.45, 0.4501], [0.9, 0.05, 0.05]], numpy.float32)
CLASSES = SCORES.argmax(1)


@pytest.mark.parametrize(("noise", "expected"), [(0.0, False), (1e-6, False), (1e-4, True)])
def test_scores_within_the_noise_tie(noise: float, expected: bool) -> None:
    ours = numpy.array([1, 0])
    assert tied(ours, CLASSES, [(SCORES, noise)]).tolist() == [expected, True]


def test_another_class_does_not_tie() -> None:
    assert not tied(numpy.array([0, 0]), CLASSES, [(SCORES, 1e-4)])[0]
    assert not tied(numpy.array([9, 0]), CLASSES, [(SCORES, 1e-4)]).any()
    assert not tied(numpy.array([-1, 0]), CLASSES, [(SCORES, 1e-4)]).any()


def test_an_output_that_is_not_that_of_the_scores_tells_nothing() -> None:
    assert not tied(numpy.array([1, 0]), numpy.array([0, 0]), [(SCORES, 1.0)]).any()
    assert not tied(numpy.array([1]), numpy.array([2]), [(SCORES, 1.0)]).any()


def test_scores_may_lie_along_any_axis() -> None:
    maps = numpy.moveaxis(SCORES.reshape(2, 1, 3), -1, 0)
    found = tied(numpy.array([[1], [0]]), CLASSES.reshape(2, 1), [(maps, 1e-4)])
    assert found.tolist() == [[True], [True]]
