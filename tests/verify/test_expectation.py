"""What the config expects, held against outputs."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from pipeline.config.schema import Expect
from pipeline.verify.expectation import labels_of, ranking, unmet_expectations

Outputs = dict[str, Any]
PROB: Outputs = {"prob": numpy.array([[0.1, 0.7, 0.2]], numpy.float32)}
LABELS = ("ant", "bee", "cat")


def messages(expect: Expect, outputs: Outputs = PROB) -> list[str]:
    return [error.render() for error in unmet_expectations(expect, outputs, LABELS, "x: cat")]


def test_what_holds_gives_nothing() -> None:
    assert messages(Expect(top1=1, value=0.7, within=0.005)) == []


def test_another_class_tells_both_and_the_five() -> None:
    (message,) = messages(Expect(top1=2))
    assert "expected: 2 cat" in message
    assert "found:    1 bee" in message
    assert "| 0 ant 0.1" in message


def test_the_right_class_with_another_value_is_not_enough() -> None:
    (message,) = messages(Expect(top1=1, value=0.72, within=0.005))
    assert "0.72 within 0.005" in message


def test_an_output_without_elements_meets_no_expectation_but_the_golden_check() -> None:
    outputs: Outputs = {"prob": numpy.zeros((1, 0), numpy.float32)}
    assert messages(Expect(golden_only=True), outputs) == []
    for expect in (Expect(top1=0), Expect(strongest=(0,)), Expect(tokens=(1,))):
        (message,) = messages(expect, outputs)
        assert "Output prob has no elements" in message


def test_a_nan_is_neither_the_top_nor_within() -> None:
    outputs: Outputs = {"prob": numpy.array([numpy.nan, 0.7])}
    assert messages(Expect(top1=1, value=0.7, within=0.01), outputs) == []
    outputs = {"prob": numpy.array([numpy.nan, numpy.nan])}
    assert messages(Expect(top1=0, value=0.7, within=0.01), outputs)


def test_the_strongest_come_in_any_order_of_an_average() -> None:
    notes = {"note": numpy.array([[[0.9, 0.0, 0.8, 0.1], [0.7, 0.2, 0.8, 0.1]]])}
    assert messages(Expect(output="note", average=1, strongest=(2, 0)), notes) == []
    (message,) = messages(Expect(output="note", average=1, strongest=(1, 0)), notes)
    assert "expected: 0, 1" in message
    assert "found:    0, 2" in message


@pytest.mark.parametrize(
    ("array", "tokens"),
    [
        (numpy.array([[101, -1, 7]], numpy.int64), (101, -1, 7)),
        (numpy.array([[[0.1, 0.9], [2.0, 1.0], [numpy.nan, 0.0]]]), (1, 0, 1)),
        (numpy.array([0.5, 0.1], numpy.float16), (0,)),
    ],
)
def test_tokens_are_whole_numbers_or_the_largest_of_the_last_axis(
    array: Any, tokens: tuple[int, ...]
) -> None:
    assert messages(Expect(tokens=tokens), {"out": array}) == []
    (message,) = messages(Expect(tokens=(*tokens[:-1], tokens[-1] + 1)), {"out": array})
    assert f"expected: {tokens[-1] + 1} at position {len(tokens) - 1}" in message
    assert f"found:    {tokens[-1]}\n" in message
    (message,) = messages(Expect(tokens=(*tokens, 0)), {"out": array})
    assert f"expected: {len(tokens) + 1} tokens\n" in message


@pytest.mark.parametrize("expect", [Expect(output="logits"), Expect(average=5, top1=1)])
def test_an_output_or_axis_that_is_not_there(expect: Expect) -> None:
    assert len(messages(expect)) == 1


def test_ties_rank_by_index() -> None:
    assert [index for index, _ in ranking(numpy.array([1.0, 2.0, 2.0]))] == [1, 2, 0]


def test_labels_with_and_without_wordnet_ids() -> None:
    assert labels_of(["n02124075 Egyptian cat", "red", "night sky"]) == (
        "Egyptian cat",
        "red",
        "night sky",
    )
