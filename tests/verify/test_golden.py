"""What the golden check says of an output that disagrees."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from pipeline.verify.compare import compare, compare_whole
from pipeline.verify.evidence import GoldenResult
from pipeline.verify.golden import disagreements
from pipeline.verify.tolerance import FACTOR, ULPS, Tolerance, ulps_of

VALUES = numpy.linspace(0.5, 1, 64, dtype=numpy.float32).reshape(1, 4, 16)
NOISE = [VALUES + numpy.float32(1e-4), VALUES - numpy.float32(1e-4)]


def changed(index: Any, by: float) -> numpy.ndarray:
    values = VALUES.copy()
    values[index] *= numpy.float32(1 + by)
    return values


def golden(difference: Any, allowed: Tolerance) -> GoldenResult:
    return GoldenResult(
        executor="onnxruntime",
        version="1",
        factor=FACTOR,
        ulps=ULPS,
        draws=4,
        tolerance=allowed,
        outputs={"y": difference},
    )


def error_of(ours: Any, theirs: Any, allowed: Tolerance, others: Any = ()) -> Any:
    [error] = disagreements(golden(compare(ours, theirs, allowed, others), allowed), "here")
    return error


@pytest.mark.parametrize(
    ("ours", "hint"),
    [
        (changed((0, 1, 3), 1.3e-3), "The model is numerically unstable here: onnxruntime itself"),
        (changed((0, 1, 3), 0.5), "Part of the output is wrong"),
        (changed((0, 1), 0.5), "The conversion changed the model: check inputs, mean, scale, col"),
        (changed(0, 0.5), "The conversion changed the model: check inputs, mean, scale, col"),
        (VALUES[:, :2], "The conversion changed the model: check its outputs, their shapes"),
    ],
    ids=["just beyond the noise", "one element", "one channel", "everything", "another shape"],
)
def test_the_hint_follows_from_what_was_found(ours: numpy.ndarray, hint: str) -> None:
    assert error_of(ours, VALUES, Tolerance(), NOISE).hint.startswith(hint)


def test_the_direction_alone_is_said() -> None:
    noise = numpy.array([1e-9, -2e-9, 3e-9], numpy.float32)
    allowed = Tolerance(absolute=1e-4, cosine=0.9999, reason="small")
    error = error_of(noise, noise[::-1].copy(), allowed)
    assert error.hint.startswith("Each element is within its bound")


def test_many_small_steps_of_a_quantised_network_are_said() -> None:
    theirs = numpy.full(1000, 7, numpy.uint8)
    found = compare(theirs + numpy.uint8(1), theirs, Tolerance(), quantum=1.0)
    [error] = disagreements(golden(found, Tolerance()), "here")
    assert error.found.startswith("no element beyond its bound, but together 125 × what rounding")
    assert error.hint.startswith("The quantised network differs: check inputs")


def test_the_error_names_floor_factor_distance_and_margin() -> None:
    error = error_of(changed((0, 1, 3), 0.5), VALUES, Tolerance(), NOISE)
    assert "8 × the noise floor 0.0001" in error.expected
    assert "1 of 64 elements beyond at [0, 1, 3]; a distance of 0.3" in error.found
    assert "× the bound" in error.found


def test_the_error_names_the_reason_of_the_config() -> None:
    allowed = Tolerance(absolute=1e-3, reason="it divides by a small sum")
    assert "it divides by a small sum" in error_of(changed(0, 0.5), VALUES, allowed).expected


def test_a_wrong_class_is_said_to_be_wrong() -> None:
    found = compare_whole(numpy.array([1000]), numpy.array([1010]))
    [error] = disagreements(golden(found, Tolerance(absolute=100, reason="x")), "here")
    assert error.expected == "the same integers as onnxruntime"
    assert error.found == "1 of 1 differ at [0], by up to 10"
    assert error.hint.startswith("Classes, tokens and indices must be equal")


def test_an_average_of_many_terms_is_rounded_more() -> None:
    """Sums of 50,176 terms that are alike differ by hundreds of last places between kernels."""
    values = numpy.array([0.2], numpy.float32)
    far = values + numpy.float32(2e-5)
    assert not compare(far, values, Tolerance(), ulps=ulps_of(49)).agrees
    assert compare(far, values, Tolerance(), ulps=ulps_of(224 * 224)).agrees
    assert not compare(
        values * numpy.float32(1.01), values, Tolerance(), ulps=ulps_of(50176)
    ).agrees
