"""A slice of the fuzzing of benchmarks/fuzz_host.py, and that it would notice a broken host."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.host.fuzz.run import Fuzzer

SLICE, LARGER_SLICE = 500, 2000


def run_all(fuzzer: Fuzzer) -> None:
    for seed in range(SLICE):
        fuzzer.run(seed)


@pytest.mark.slow
def test_more_random_sequences_of_calls_are_safe(tmp_path: Path) -> None:
    fuzzer = Fuzzer(tmp_path)
    for seed in range(SLICE, LARGER_SLICE):
        fuzzer.run(seed)


def test_random_sequences_of_calls_are_safe(tmp_path: Path) -> None:
    fuzzer = Fuzzer(tmp_path)
    run_all(fuzzer)
    # They came as deep as the functions go, and to every answer but 3 and 4.
    assert {name for name, errno in fuzzer.answers if errno == 0} == {
        "load",
        "load_by_name",
        "load_by_name_with_config",
        "init_execution_context",
        "set_input",
        "compute",
        "get_output",
        "unload",
        "finalize_execution_context",
    }
    assert {errno for _, errno in fuzzer.answers} == {0, 1, 2, 5, 6, 7, 8}


def _too_long(real: Callable[..., Any]) -> Callable[..., Any]:
    def output(self: Any, *arguments: Any) -> memoryview:
        return memoryview(bytes(real(self, *arguments)) + b"!")

    return output


def _unchecked(_real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_arguments: None


def _again(_real: Callable[..., Any]) -> Callable[..., Any]:
    def add(self: Any, value: object) -> int:
        handle = len(self.by_handle)
        self.by_handle[handle] = value
        self._next = handle + 1
        return handle

    return add


def _forgetful(real: Callable[..., Any]) -> Callable[..., Any]:
    def output(self: Any, context: Any, index: int) -> Any:
        context.computed = True
        return real(self, context, index)

    return output


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        ("backends.openvino:OpenVINOContext", "output", _too_long),
        ("abi.memory", "check", _unchecked),
        ("session.handles:Handles", "add", _again),
        ("session.session:Session", "output", _forgetful),
    ],
)
def test_a_broken_host_is_noticed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    name: str,
    broken: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> None:
    module, _, inner = where.partition(":")
    owner = importlib.import_module(f"pipeline.host.{module}")
    if inner:
        owner = getattr(owner, inner)
    monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    fuzzer = Fuzzer(tmp_path)
    with pytest.raises(AssertionError):
        run_all(fuzzer)


def test_inputs_that_are_read_late_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends.openvino import OpenVINOContext
    from pipeline.host.session.session import Context, Session, SetInput

    real = Session.renew_input
    real_compute = OpenVINOContext.compute

    def renew_input(
        self: Session, context: Context, index: int, known: SetInput, data: memoryview
    ) -> None:
        execution: Any = context.execution
        execution.lent = {**getattr(execution, "lent", {}), index: (known, data)}
        real(self, context, index, known, data)

    def compute(self: Any) -> None:
        for known, data in self.lent.values():
            known.memory[:] = data
        real_compute(self)

    monkeypatch.setattr(Session, "renew_input", renew_input)
    monkeypatch.setattr(OpenVINOContext, "compute", compute)
    fuzzer = Fuzzer(tmp_path)
    with pytest.raises(AssertionError, match="made another output"):
        run_all(fuzzer)
