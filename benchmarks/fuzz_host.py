"""Fuzzes the wasi-nn host with 100,000 random sequences of calls, each by a guest in the sandbox.

Run `python benchmarks/fuzz_host.py [COUNT [FIRST]]`. Workers are processes of their own, so that a
sequence that ends one (a crash of native code) or hangs it is named and counted, and the next goes
on after it. What is looked at is told in tests/host/fuzz/watch.py. It exits with 1 when any
sequence was not safe; `python -m tests.host.fuzz.run FOLDER SEED 1` repeats one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
BATCH = 1000
# A sequence takes some 20 ms, and a start a few seconds; a worker that a busy machine keeps waiting
# is not one that hangs.
HANGS_SECONDS = 900


@dataclass
class Found:
    """What a batch of seeds showed."""

    wrong: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)


def fuzzed(folder: Path, first: int, count: int) -> Found:
    """Fuzz seeds in a worker, in a new one after each that it does not survive."""
    found = Found()
    end = first + count
    while first < end:
        command = [sys.executable, "-m", "tests.host.fuzz.run", str(folder), str(first)]
        how, lines, noise = watched([*command, str(end - first)], folder / "at")
        if "Traceback" in noise:
            found.wrong.append(f"from {first} on: {noise[-2000:]}")
        if lines and lines[-1].startswith("{"):
            found.calls.update(json.loads(lines.pop())["calls"])
            found.wrong += lines
            return found
        known = (folder / "at").read_text() if (folder / "at").exists() else ""
        if not known.isdecimal():
            found.wrong.append(f"from {first} on, at an unknown seed: {how}: {noise[-500:]}")
            return found
        at = int(known)
        found.wrong += [*lines, f"seed {at}: {how}: {noise[-500:]}"]
        first = at + 1
    return found


def watched(command: list[str], at: Path) -> tuple[str, list[str], str]:
    """Return how a worker ended, its lines and its complaints, once it has ended or hangs."""
    before = ""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe) as process:
        while True:
            try:
                printed, noise = process.communicate(timeout=HANGS_SECONDS)
                how = f"exit status {process.returncode}"
                break
            except subprocess.TimeoutExpired:
                now = at.read_text() if at.exists() else ""
                if now == before:
                    process.kill()
                    printed, noise = process.communicate()
                    how = f"hangs for {HANGS_SECONDS} s"
                    break
                before = now
    return how, printed.decode().splitlines(), noise.decode(errors="replace")


def batches(folder: Path, first: int, count: int) -> Iterator[tuple[Path, int, int]]:
    """Return what each worker is given, each with a folder of its own."""
    for at in range(first, first + count, BATCH):
        yield folder / str(at), at, min(BATCH, first + count - at)


def main() -> None:
    """Fuzz, and tell how it went."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    calls: Counter[str] = Counter()
    wrong = 0
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(WORKERS) as pool:
        runs = [pool.submit(fuzzed, *batch) for batch in batches(Path(name), first, count)]
        for number, run in enumerate(runs, start=1):
            found = run.result()
            calls += found.calls
            wrong += len(found.wrong)
            for line in found.wrong:
                print(line, flush=True)
            if number % 10 == 0 or number == len(runs):
                done = min(number * BATCH, count)
                print(f"{done} sequences, {time.perf_counter() - started:.0f} s", flush=True)
    for call, times in sorted(calls.items()):
        print(f"  {call}: {times}")
    print(f"{count} sequences, {calls.total()} calls, {wrong} not safe")
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
