"""What a failed case keeps of its outputs: where they differ most, bounded, as JSON holds it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.verify.failed_case import Beside, FailedCase, Pair, beside, failed_case, pairs


def pair(ours: Any, theirs: Any) -> Pair:
    return Pair("y", "onnxruntime 1", ours, theirs)


def test_the_elements_that_differ_most_come_first() -> None:
    theirs = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
    ours = theirs.copy()
    ours[2, 1] += 0.5
    ours[0, 3] -= 2
    found = beside(pair(ours, theirs))
    assert (found.differing, found.elements, found.shape) == (2, 12, (3, 4))
    assert found.farthest == (
        Beside(index=(0, 3), ours="1", theirs="3", difference="2"),
        Beside(index=(2, 1), ours="9.5", theirs="9", difference="0.5"),
    )
    assert found.largest[0] == Beside(index=(2, 3), ours="11", theirs="11", difference="0")


def test_no_more_than_ten_are_kept_of_an_output_and_sixteen_outputs() -> None:
    ours, theirs = numpy.zeros(10_000), numpy.linspace(1, 2, 10_000)
    several = pairs(
        {str(n): ours for n in range(40)}, {str(n): theirs for n in range(40)}, "x" * 999
    )
    kept = failed_case(several, ours, None, ["z" * 10_000], "top 1 is 7")
    found = msgspec.convert(kept, FailedCase)
    assert (len(found.compared), found.left_out) == (16, 24)
    assert all(len(each.farthest) == 10 for each in found.compared)
    assert found.compared[0].differing == 10_000
    assert len(json.dumps(kept)) < 64 << 10


def test_whole_numbers_are_exact() -> None:
    big = 2**62
    found = beside(pair(numpy.array([big, 1]), numpy.array([big + 1, 1])))
    assert found.differing == 1
    # As floats they are the same, and so are their differences.
    (each,) = found.farthest
    assert (each.ours, each.theirs, each.difference) == (str(big), str(big + 1), "1")


def test_no_number_comes_before_any_difference_and_equal_infinities_do_not_differ() -> None:
    ours = numpy.array([1.0, numpy.nan, numpy.inf, 5.0])
    theirs = numpy.array([9.0, 2.0, numpy.inf, 5.0])
    kept = failed_case([pair(ours, theirs)], ours, None, (), "")
    found = msgspec.convert(json.loads(json.dumps(kept, allow_nan=False)), FailedCase)
    assert [each.index for each in found.compared[0].farthest] == [(1,), (0,)]
    assert found.compared[0].farthest[0].ours == "nan"


@pytest.mark.parametrize("shape", [(), (0,), (1, 1)])
def test_scalars_and_empty_outputs_can_be_compared(shape: tuple[int, ...]) -> None:
    found = beside(pair(numpy.ones(shape, numpy.float32), numpy.zeros(shape, numpy.float32)))
    assert found.differing == found.elements == numpy.ones(shape).size


def test_outputs_of_other_sizes_are_not_compared() -> None:
    found = beside(pair(numpy.ones(3), numpy.ones(4)))
    assert found.note == "its shape is [3], the other's [4]"
    assert found.farthest == ()


def test_the_five_largest_of_what_is_judged_have_their_labels() -> None:
    judged = numpy.array([[0.1, 0.7, 0.2], [0.1, 0.9, 0.0]])
    found = msgspec.convert(failed_case([], judged, 0, ["a", "b"], "top 1 is 0"), FailedCase)
    assert [(each.index, each.label, each.value) for each in found.top] == [
        (1, "b", "0.8"),
        (0, "a", "0.1"),
        (2, "", "0.1"),
    ]
    # An axis that is not there is told of as the failure itself.
    assert failed_case([], judged, 7, (), "")["top"][0]["index"] == 4


def test_the_evidence_of_an_error_survives_the_way_from_a_worker() -> None:
    import pickle

    error = PipelineError(Code.VERIFY, "No.", evidence={"compared": [1]})
    back = pickle.loads(pickle.dumps(error))
    assert back.evidence == {"compared": [1]}
    assert back.render() == error.render() == "error[verify]: No."
