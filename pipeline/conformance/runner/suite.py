"""Run the suite on a host, each case in its own process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.conformance.case import Case, Verdict
from pipeline.conformance.runner.hosts import ConformanceHost
from pipeline.conformance.runner.kit import guest_of, models_of
from pipeline.conformance.runner.verdict import judge
from pipeline.errors import Code, PipelineError
from pipeline.verify.peer_process import run_peer


@dataclass(frozen=True)
class Result:
    """Result of a case on a host; ``found`` is empty if it conforms. ``seconds`` is wall time."""

    case: Case
    verdict: Verdict
    found: str
    seconds: float


@dataclass(frozen=True)
class HostResults:
    """Results of all cases on a host, in their order."""

    host: ConformanceHost
    results: tuple[Result, ...]

    def count(self, verdict: Verdict) -> int:
        """Return the number of cases with this verdict."""
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
    """Run the cases of a written kit on a host, ``jobs`` in parallel, with ``seconds`` for each.

    ``each`` receives the results in the order of the cases. Raises PipelineError (TOOLCHAIN) if the
    host cannot be started.
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
