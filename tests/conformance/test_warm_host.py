"""The host that is forked for each guest ends as a process of its own would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.conformance.hosts import this_host
from pipeline.conformance.kit.cases import KitCase, read_cases
from pipeline.conformance.kit.judge import CONFORMS, UNSAFE
from pipeline.conformance.kit.run_cases import run, run_all
from pipeline.conformance.warm_host import WarmHost, warmed
from tests.processes import ended

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(scope="module")
def cases(kit: Path) -> dict[str, KitCase]:
    return {case.name: case for case in read_cases(kit)}


@pytest.fixture(scope="module")
def warm() -> WarmHost:
    return WarmHost()


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli.main", *map(str, words)]


def finished(warm: WarmHost, *words: str | Path) -> tuple[int, bytes, bytes]:
    process = warm.start(command(*words))
    return process.wait(60), process.stdout.read(), process.stderr.read()


def test_a_guest_ends_as_in_a_new_process(warm: WarmHost, cases: dict[str, KitCase]) -> None:
    for name in ("streams", "input-index"):
        words = ("run", cases[name].folder / f"{name}.wasm")
        new = subprocess.run(command(*words), capture_output=True)
        assert new.stderr
        assert finished(warm, *words) == (new.returncode, new.stdout, new.stderr)
    code, _, said = finished(warm, "run", "--seconds", "none", "a.wasm")
    assert (code, b"not a positive number" in said) == (2, True)
    code, _, said = finished(warm, "run", "no-such.wasm")
    assert (code, b"no-such.wasm" in said) == (1, True)


def test_guests_run_at_once_and_a_crash_is_of_one_alone(
    warm: WarmHost, cases: dict[str, KitCase]
) -> None:
    host = this_host()._replace(start=warm.start)

    def crashing(words: Sequence[str]) -> object:
        process = warm.start(words)
        if words[-1].endswith("load-infer.wasm"):
            process.kill()
        return process

    names = ("load-infer", "streams", "input-index", "output-twice")
    chosen = [cases[name] for name in names]
    results = run_all(host._replace(start=crashing), chosen, 60, 4, lambda _: None)
    assert [each.verdict for each in results] == [UNSAFE, *[CONFORMS] * 3]
    assert results[0].found == "the host crashes: signal 9"


def test_a_guest_that_hangs_is_ended(warm: WarmHost, tmp_path: Path) -> None:
    from wasmtime import wat2wasm

    wasm = tmp_path / "hangs.wasm"
    wasm.write_bytes(
        wat2wasm('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
    )
    process = warm.start(command("run", wasm))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.kill()
    assert process.wait(60) == -9


def test_the_process_that_forks_ends_with_its_user(cases: dict[str, KitCase]) -> None:
    with warmed(this_host()) as host:
        assert host.start is not None
        warm = host.start.__self__  # type: ignore[attr-defined]
        assert run(host, cases["load-infer"], 60).verdict == CONFORMS
    assert ended(warm._process.pid)
    other = this_host()._replace(name="another")
    with warmed(other) as host:
        assert host.start is None


def test_the_guest_s_process_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "abc123")
    with closing(WarmHost()) as warm:
        environment = Path(f"/proc/{warm._process.pid}/environ")
        if not environment.exists():
            pytest.skip("reads the process in /proc")
        assert b"abc123" not in environment.read_bytes()
        # It has one thread: what is forked would lack the others.
        assert finished(warm, "--version")[0] == 0
        assert len(list(Path(f"/proc/{warm._process.pid}/task").iterdir())) == 1
