"""The suite run inside this process, on the embedded host or a broken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.conformance.case import Case
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.kit import cases as kit_cases
from pipeline.conformance.kit.judge import Ended, judge
from pipeline.conformance.models.formats import FORMATS
from pipeline.conformance.write_kit import write_kit
from pipeline.errors import PipelineError
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import WitxFunction
from pipeline.host.abi.witx import Witx
from pipeline.host.host import Host, NamedGraph
from pipeline.host.model_types import Encoding
from tests.conformance.broken import Fault, Served

# The verdict, what was found, and the guest's exit code.
Ask = Callable[[Case], tuple[str, str, int]]


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conformance") / "kit"
    write_kit(folder, CASES)
    return folder


@pytest.fixture(scope="session")
def described(kit: Path) -> dict[str, kit_cases.KitCase]:
    return {case.title: case for case in kit_cases.read_cases(kit, tuple(FORMATS))}


@pytest.fixture
def ask(kit: Path, described: dict[str, kit_cases.KitCase], tmp_path: Path) -> Ask:
    def asked(case: Case) -> tuple[str, str, int]:
        out, err = tmp_path / "out", tmp_path / "err"
        models = kit / "models" / case.encoding
        known = described[case.title]
        with Host() as host:
            try:
                exit_code = host.run(
                    known.folder / f"{known.name}.wasm",
                    [arg.replace("{models}", str(models)) for arg in known.args],
                    graphs=[NamedGraph("add", models / "add", Encoding(case.encoding))],
                    stdout=out,
                    stderr=err,
                ).exit_code
                failed = ""
            except PipelineError as error:
                exit_code, failed = 1, str(error)
        ended = Ended(exit_code, out.read_text(), err.read_text() + failed)
        verdict, found, _ = judge(known, ended)
        return verdict, found, exit_code

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
