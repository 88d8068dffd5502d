"""What the golden check says of an output that disagrees."""

from __future__ import annotations

import numpy
import pytest

from pipeline.verify.compare import compare
from pipeline.verify.evidence import Golden
from pipeline.verify.golden import disagreements
from pipeline.verify.tolerance import Tolerance

ALLOWED = Tolerance(absolute=1e-4, relative=1e-3, cosine=0.9999)
NOISE = numpy.array([1e-9, -2e-9, 3e-9], numpy.float32)
VALUES = numpy.array([1, 2, 3], numpy.float32)


@pytest.mark.parametrize(
    ("ours", "theirs", "hint"),
    [
        (NOISE, NOISE[::-1].copy(), "Only the cosine fails"),
        (VALUES, VALUES * 1.5, "The conversion changed the model"),
        (VALUES, VALUES[:2], "The conversion changed the model"),
    ],
    ids=["noise about 0", "a scaled output", "another shape"],
)
def test_the_hint_says_which_bound_fails(
    ours: numpy.ndarray, theirs: numpy.ndarray, hint: str
) -> None:
    outputs = {"y": compare(ours, theirs, ALLOWED)}
    golden = Golden(executor="onnxruntime", version="1", tolerance=ALLOWED, outputs=outputs)
    [error] = disagreements(golden, "here")
    assert error.hint.startswith(hint)
