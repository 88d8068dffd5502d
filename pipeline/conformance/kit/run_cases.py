"""Run cases on a host, each in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from pipeline.conformance.kit.cases import ConformanceHost, KitCase, command_of
from pipeline.conformance.kit.judge import ABSENT, Ended, Result, judge

_PRINTED = 1 << 20
_LEFT_SECONDS = 5.0


def run(host: ConformanceHost, case: KitCase, seconds: float) -> Result:
    """Run a case in its own process and judge it; raises OSError if the host cannot start."""
    if case.need and case.need not in host.options:
        return Result(case, ABSENT, f"the host has no option for it: {case.need}")
    started = time.monotonic()
    models = str(case.folder.parent / "models" / case.encoding)
    command = command_of(host, case)
    folder = host.folder.replace("{models}", models)
    process = host.start(command) if host.start else _started(command, host.environment, folder)
    ended = _ended(process, seconds)
    verdict, found, answer = judge(case, ended)
    return Result(case, verdict, found, answer, time.monotonic() - started)


def _started(
    command: Sequence[str], environment: Mapping[str, str] | None, folder: str
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        cwd=folder or None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[bytes], seconds: float) -> Ended | None:
    assert process.stdout is not None
    assert process.stderr is not None
    streams = (process.stdout, process.stderr)
    texts = (bytearray(), bytearray())
    readers = [
        threading.Thread(target=_read_first, args=pair, daemon=True)
        for pair in zip(streams, texts, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)
        for reader in readers:
            # A process that left the session may keep the stream open.
            reader.join(_LEFT_SECONDS)
    stdout, stderr = (bytes(text).decode(errors="replace") for text in texts)
    return Ended(code, stdout, stderr)


def _read_first(stream: IO[bytes], text: bytearray) -> None:
    """Keep the first bytes and drop the rest, so that the host never waits for a reader."""
    with stream:
        while chunk := stream.read1(65536):  # type: ignore[attr-defined]
            text += chunk[: _PRINTED - len(text)]


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
    host: ConformanceHost,
    cases: Sequence[KitCase],
    seconds: float,
    jobs: int,
    each: Callable[[Result], None],
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
