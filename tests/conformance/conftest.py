"""The suite run inside this process, on the embedded host or a broken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.conformance.case import Case, Verdict
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.runner.kit import guest_of, models_of, write_kit
from pipeline.conformance.runner.verdict import judge
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import WitxFunction
from pipeline.host.abi.witx import Witx
from pipeline.host.host import Host, NamedGraph
from pipeline.verify.peer_process import PeerRun
from tests.conformance.broken import Fault, Served

Ask = Callable[[Case], tuple[Verdict, str]]


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conformance") / "kit"
    write_kit(folder, CASES)
    return folder


@pytest.fixture
def ask(kit: Path, tmp_path: Path) -> Ask:
    def asked(case: Case) -> tuple[Verdict, str]:
        out, err = tmp_path / "out", tmp_path / "err"
        with Host() as host:
            outcome = host.run(
                guest_of(kit, case),
                graphs=[NamedGraph("add", models_of(kit) / "add")],
                stdout=out,
                stderr=err,
            )
        return judge(case, PeerRun(outcome.exit_code, out.read_text(), err.read_text()))

    return asked


@pytest.fixture
def break_host(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], None]:
    real = Witx.function

    def breaking(fault: Fault) -> None:
        before: list[tuple[str, list[int], int]] = []
        kept: dict[str, object] = {}

        def function(self: Witx, name: str) -> WitxFunction:
            def call(guest: Memory | None, *values: int) -> int:
                def answer(other: str, arguments: list[int]) -> int:
                    return real(self, other)(guest, *arguments)

                errno = fault(Served(answer, guest, name, list(values), before, kept))
                before.append((name, list(values), errno))
                return errno

            return call

        monkeypatch.setattr(Witx, "function", function)

    return breaking
