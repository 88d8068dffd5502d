"""Every case conforms on the embedded host, and catches a host that is broken where it looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.conformance.case import Call, Case, Verdict
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.models import tflite
from tests.conformance.broken import FROM_OUTSIDE, Fault, faults
from tests.conformance.conftest import Ask
from tests.host.made_models import tflite_model

INSIDE = [case for case in CASES if case.memory]


@pytest.mark.parametrize("case", INSIDE, ids=lambda case: case.name)
def test_the_embedded_host_conforms(ask: Ask, case: Case) -> None:
    assert ask(case) == (Verdict.CONFORMS, "")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in FROM_OUTSIDE], ids=lambda case: case.name
)
def test_a_broken_host_is_caught(ask: Ask, break_host: Callable[[Fault], None], case: Case) -> None:
    break_host(faults()[case.name])
    verdict, found = ask(case)
    assert verdict is not Verdict.CONFORMS
    assert found


def test_success_for_what_cannot_be_right_is_unsafe(
    ask: Ask, break_host: Callable[[Fault], None]
) -> None:
    case = next(case for case in CASES if case.name == "output-before-compute")
    break_host(faults()[case.name])
    assert ask(case) == (Verdict.UNSAFE, "get_output returned 0, expected 5")


def test_another_errno_differs(ask: Ask, break_host: Callable[[Fault], None]) -> None:
    case = next(case for case in CASES if case.name == "input-index")

    def answers_5(call: object) -> int:
        errno = call.properly()  # type: ignore[attr-defined]
        return 5 if errno == 1 else int(errno)

    break_host(answers_5)
    assert ask(case) == (Verdict.DIFFERS, "set_input returned 5, expected 1")


def test_names_are_unique_and_each_case_asks_something() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(
        case.rule and any(isinstance(step, Call) for step in case.steps)
        for case in CASES
        if case.name != "exit-200"
    )


def test_the_tflite_model_that_is_written_out_is_what_its_builder_makes() -> None:
    assert tflite() == tflite_model()
