"""Every case conforms on the embedded host, and catches a host that is broken where it looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.conformance.case import Call, Case, Level, Need, all_steps
from pipeline.conformance.cases.all_cases import CASES, MODULE_CASES
from pipeline.conformance.kit.judge import CONFORMS, DIFFERS, OTHER, UNSAFE
from tests.conformance import broken_components
from tests.conformance.broken import FROM_OUTSIDE, Fault, faults, keeps_the_size_to_itself
from tests.conformance.conftest import Ask

INSIDE = [case for case in CASES if case.memory]
NAMED = {case.title: case for case in CASES}


@pytest.mark.parametrize("case", INSIDE, ids=lambda case: case.title)
def test_the_embedded_host_conforms(ask: Ask, case: Case) -> None:
    traps = any(isinstance(step, Call) and step.must_trap for step in all_steps(case.steps))
    # The time limit ends a guest as a failure.
    failed = traps or case.need is Need.SECONDS
    assert ask(case) == (CONFORMS, "", 1 if failed else case.exit_code)


@pytest.mark.parametrize(
    "case",
    [case for case in MODULE_CASES if case.name not in FROM_OUTSIDE],
    ids=lambda case: case.title,
)
def test_a_broken_host_is_caught_by_text_and_exit_code(
    ask: Ask, break_host: Callable[[Fault], None], case: Case
) -> None:
    break_host(faults()[case.name])
    verdict, found, exit_code = ask(case)
    assert verdict in (DIFFERS, UNSAFE)
    assert found
    assert exit_code == 1


@pytest.mark.parametrize("case", broken_components.CASES, ids=lambda case: case.title)
def test_a_broken_host_of_components_is_caught(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    broken_components.BROKEN[case.name](monkeypatch)
    verdict, found, _ = ask(case)
    assert verdict in (DIFFERS, UNSAFE)
    assert found


def test_success_for_what_cannot_be_right_is_unsafe(
    ask: Ask, break_host: Callable[[Fault], None]
) -> None:
    break_host(faults()["output-before-compute"])
    found = "get_output returned 0, expected an error"
    assert ask(NAMED["output-before-compute"]) == (UNSAFE, found, 1)


def test_another_errno_conforms_and_is_reported(
    ask: Ask, break_host: Callable[[Fault], None]
) -> None:
    def returns_5(call: object) -> int:
        errno = call.properly()  # type: ignore[attr-defined]
        return 5 if errno == 1 else int(errno)

    break_host(returns_5)
    assert ask(NAMED["input-index"]) == (OTHER, "set_input returned 5, advised 1", 0)


def test_a_number_that_is_no_errno_differs(ask: Ask, break_host: Callable[[Fault], None]) -> None:
    def returns_1000(call: object) -> int:
        errno = call.properly()  # type: ignore[attr-defined]
        return 1000 if errno == 1 else int(errno)

    break_host(returns_1000)
    found = "set_input returned 1000, expected an error"
    assert ask(NAMED["input-index"]) == (DIFFERS, found, 1)


def test_the_old_output_differs_and_other_bytes_are_unsafe(
    ask: Ask, break_host: Callable[[Fault], None]
) -> None:
    case = NAMED["output-after-new-input"]
    break_host(faults()[case.name])
    assert ask(case) == (DIFFERS, "the output of before is returned", 1)
    break_host(faults()["output-bytes-before-compute"])
    found = "bytes that are not the old output are returned"
    assert ask(case) == (UNSAFE, found, 1)


def test_the_needed_size_is_a_recommendation(ask: Ask, break_host: Callable[[Fault], None]) -> None:
    break_host(keeps_the_size_to_itself)
    case = NAMED["output-size-query"]
    assert ask(case) == (OTHER, "bytes_written is not the needed size, 16", 0)


def test_handles_may_be_any_numbers(ask: Ask, break_host: Callable[[Fault], None]) -> None:
    """A host that begins at 1000, in every case."""

    def begins_at_1000(call: object) -> int:
        values, name = call.values, call.name  # type: ignore[attr-defined]
        out = {"load": 4, "load_by_name": 2, "init_execution_context": 1}.get(name)
        if name not in ("load", "load_by_name", "load_by_name_with_config"):
            values[0] = values[0] - 1000 if values[0] >= 1000 else values[0] + 5000
        errno = int(call.properly())  # type: ignore[attr-defined]
        if out is not None and errno == 0:
            at = values[out]
            handle = call.u32(at) + 1000  # type: ignore[attr-defined]
            call.poke(at, handle.to_bytes(4, "little"))  # type: ignore[attr-defined]
        return errno

    break_host(begins_at_1000)
    for name in ("load-infer", "load-handles", "load-after-failure", "name-twice", "load-empty"):
        assert ask(NAMED[name]) == (CONFORMS, "", 0)


def test_names_are_unique_and_each_case_stands_on_something() -> None:
    assert len(NAMED) == len(CASES)
    for case in CASES:
        assert case.rule
        assert case.basis.source
        assert case.basis.reason
        assert any(isinstance(step, Call) for step in all_steps(case.steps))
    assert {case.basis.level for case in CASES} == set(Level)


def test_only_a_call_that_may_fail_may_trap() -> None:
    for case in CASES:
        for step in all_steps(case.steps):
            if isinstance(step, Call) and step.may_trap and not step.must_trap:
                assert set(step.expected) & set(range(1, 9)), case.title
            if isinstance(step, Call) and step.must_trap:
                assert 0 in step.unsafe, case.title
