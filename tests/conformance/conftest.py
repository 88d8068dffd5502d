"""The suite run inside this process, on the embedded host or a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.conformance.case import Case, Need
from pipeline.conformance.cases.all_cases import CASES
from pipeline.conformance.kit import cases as kit_cases
from pipeline.conformance.kit.judge import Ended, judge
from pipeline.conformance.models.formats import SUITES
from pipeline.conformance.write_kit import write_kit
from pipeline.errors import PipelineError
from pipeline.host import node_check
from pipeline.host.abi.memory import Memory
from pipeline.host.abi.shortcuts import WitxFunction
from pipeline.host.abi.witx import Witx
from pipeline.host.host import Host, NamedGraph
from pipeline.host.model_types import Encoding
from tests.conformance.broken import Fault, Served
from tests.conformance.node_checks import remembering

# The verdict, what was found, and the guest's exit code.
Ask = Callable[[Case], tuple[str, str, int]]


@pytest.fixture(autouse=True, scope="package")
def node_checks() -> Iterator[None]:
    """Check a model's nodes once, not in every case that loads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node_check, "_run", remembering(node_check._run))
        yield


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conformance") / "kit"
    write_kit(folder, CASES)
    return folder


@pytest.fixture(scope="session")
def described(kit: Path) -> dict[str, kit_cases.KitCase]:
    return {case.title: case for case in kit_cases.read_cases(kit, tuple(SUITES))}


@pytest.fixture
def ask(kit: Path, described: dict[str, kit_cases.KitCase], tmp_path: Path) -> Ask:
    def asked(case: Case) -> tuple[str, str, int]:
        out, err = tmp_path / "out", tmp_path / "err"
        known = described[case.title]
        models = kit / "models" / known.encoding
        messages: list[str] = []
        second = kit / "preload" / known.encoding / f"{case.name}.wasm"
        with Host(on_message=messages.append) as host:
            try:
                exit_code = host.run(
                    known.folder / f"{known.name}.wasm",
                    [arg.replace("{models}", str(models)) for arg in known.args],
                    graphs=[NamedGraph("add", models / "add", Encoding(known.encoding))],
                    preloads={"second": second} if case.second else {},
                    seconds=1 if case.need is Need.SECONDS else 900,
                    stdout=out,
                    stderr=err,
                ).exit_code
                failed = ""
            except PipelineError as error:
                exit_code, failed = 1, str(error)
        ended = Ended(exit_code, out.read_text(), "\n".join([err.read_text(), *messages, failed]))
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
                def answer(other: str, arguments: list[int], memory: Memory | None) -> int:
                    return real(self, other)(memory, *arguments)

                errno = fault(Served(answer, guest, name, list(values), before, kept))
                before.append((name, list(values), errno))
                return errno

            return call

        monkeypatch.setattr(Witx, "function", function)

    return breaking
