"""Run cases on a host, each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.conformance.kit.cases import Case, Host, command_of
from pipeline.conformance.kit.judge import Ended, Result, judge

_PRINTED = 1 << 20


def run(host: Host, case: Case, seconds: float) -> Result:
    """Run a case in its own process and judge it; raises OSError if the host cannot start."""
    started = time.monotonic()
    models = str(case.folder.parent / "models" / case.encoding)
    ended = _ended(
        command_of(host, case), host.environment, seconds, host.folder.replace("{models}", models)
    )
    verdict, found, answer = judge(case, ended)
    return Result(case, verdict, found, answer, time.monotonic() - started)


def _ended(
    command: Sequence[str], environment: Mapping[str, str] | None, seconds: float, folder: str
) -> Ended | None:
    # Files, since a pipe stays open while a process that the host has started lives.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder or None,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(_PRINTED).decode(errors="replace"))
        return Ended(code, *texts)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it has started and left."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            process.kill()
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def run_all(
    host: Host, cases: Sequence[Case], seconds: float, jobs: int, each: Callable[[Result], None]
) -> list[Result]:
    """Run cases in parallel; ``each`` receives the results in the order of the cases."""
    results = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, host, case, seconds) for case in cases]
        try:
            for future in futures:
                results.append(future.result())
                each(results[-1])
        finally:
            for future in futures:
                future.cancel()
    return results
