"""The suite put to a host: every case in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.verify.conformance.case import Case, Verdict
from pipeline.verify.conformance.hosts import ConformanceHost
from pipeline.verify.conformance.judge import judge
from pipeline.verify.conformance.kit import guest_of, models_of
from pipeline.verify.peer_process import run_peer


@dataclass(frozen=True)
class Result:
    """What a case says of a host; ``found`` is empty where it conforms. Seconds of wall time."""

    case: Case
    verdict: Verdict
    found: str
    seconds: float


@dataclass(frozen=True)
class HostResults:
    """What all cases say of a host, in their order."""

    host: ConformanceHost
    results: tuple[Result, ...]

    def count(self, verdict: Verdict) -> int:
        """Return how many cases have this verdict."""
        return sum(result.verdict is verdict for result in self.results)


def run_suite(
    host: ConformanceHost,
    cases: Sequence[Case],
    kit: Path,
    *,
    seconds: float,
    jobs: int | None = None,
    each: Callable[[Result], None] = lambda _: None,
) -> HostResults:
    """Put the cases of a written kit to a host, ``jobs`` at a time; ``seconds`` limits each.

    ``each`` is told the results in the order of the cases, as they come. Raises PipelineError
    (TOOLCHAIN) when the host cannot be started.
    """
    results = []
    for result in _results(host, cases, kit, seconds, jobs or os.cpu_count() or 1):
        each(result)
        results.append(result)
    return HostResults(host, tuple(results))


def _results(
    host: ConformanceHost, cases: Sequence[Case], kit: Path, seconds: float, jobs: int
) -> Iterator[Result]:
    def run(case: Case) -> Result:
        return _run(host, case, kit, seconds)

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, case) for case in cases]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _run(host: ConformanceHost, case: Case, kit: Path, seconds: float) -> Result:
    started = time.monotonic()
    try:
        ended = run_peer(
            host.run(guest_of(kit, case), models_of(kit)), host.environment, seconds=seconds
        )
    except PipelineError as error:
        if error.code is not Code.TIME_LIMIT:
            raise
        ended = None
    verdict, found = judge(case, ended)
    return Result(case, verdict, found, time.monotonic() - started)
