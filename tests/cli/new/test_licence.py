"""A licence is an SPDX expression, or is asked for again."""

from __future__ import annotations

import pytest

from pipeline.cli.new.licence import licence
from pipeline.cli.new.prompts import Answer, Question
from pipeline.errors import PipelineError


def test_an_answer_that_is_no_licence_is_asked_for_again() -> None:
    answers = iter(["Apache 2", "GPL", "apache-2.0"])
    asked: list[str] = []

    def answer(question: Question) -> Answer:
        asked.append(question.text)
        return Answer(next(answers), known=True)

    assert licence("the model", "--license", None, answer) == "Apache-2.0"
    assert "'Apache 2'" in asked[1]
    assert "'gpl'" in asked[2]


@pytest.mark.parametrize("given", ["Apache 2", "", "MIT OR", "\udcff"])
def test_a_flag_that_is_no_licence_is_refused(given: str) -> None:
    def nobody(question: Question) -> Answer:
        raise AssertionError(question)

    with pytest.raises(PipelineError) as caught:
        licence("the photo", "--image-license", given, nobody)
    assert "LicenseRef-NAME" in caught.value.expected
