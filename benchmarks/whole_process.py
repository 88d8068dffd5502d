"""Whole processes, here and on the Wasmtime CLI: start, load, infer once, end.

Run `python benchmarks/whole_process.py [FIXTURE]`, where FIXTURE is a built fixture, by default
artifacts/squeezenet: its guest loads the model by bytes and by name; and a model that hardly
computes is loaded by name. Processes take turns, the fastest of each counts, and their outputs must
be equal. Memory is the largest resident set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.host import CASES, INFER, PRINTED, Case, guest, save
from pipeline.verify.peers import wasmtime_command, wasmtime_environment

ROUNDS = 9
TINY = Case("tiny", CASES[0].shape, 1, 1, CASES[0].build)


def timed(command: list[str], environment: Mapping[str, str]) -> tuple[float, int, bytes]:
    """Return wall seconds, resident bytes, and what the process printed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - started, usage.ru_maxrss * 1024, printed


def compare(
    name: str,
    ours: list[str],
    theirs: list[str],
    environment: Mapping[str, str],
    ignored: int = 0,
) -> None:
    """Print a row; the first ``ignored`` bytes of the outputs may differ."""
    runs: dict[str, list[tuple[float, int]]] = {"here": [], "cli": []}
    outputs = set()
    for _ in range(ROUNDS):
        for key, command in (("here", ours), ("cli", theirs)):
            seconds, memory, printed = timed(command, environment)
            runs[key].append((seconds, memory))
            outputs.add(printed[ignored:])
    if len(outputs) != 1:
        raise SystemExit(f"{name}: the hosts' outputs differ")
    here, cli = (min(seconds for seconds, _ in each) for each in runs.values())
    mine, other = (min(memory for _, memory in each) >> 20 for each in runs.values())
    print(
        f"{name}: here {here:.3f} s, {mine} MiB; Wasmtime CLI {cli:.3f} s, {other} MiB; "
        f"{here - cli:+.3f} s, {mine - other:+d} MiB"
    )


def main() -> None:
    """Print the rows."""
    fixture = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "artifacts/squeezenet"
    mine = [str(Path(sys.executable).parent / "wasi-nn"), "run"]
    with tempfile.TemporaryDirectory() as name:
        tools = Path(name)
        cli, environment = wasmtime_command(tools), wasmtime_environment(tools)
        theirs = [str(cli), "run", "-S", "nn"]
        folder = tools / "net"
        folder.mkdir()
        size = save(TINY, folder)
        wasm = folder / "guest.wasm"
        wasm.write_bytes(guest(TINY, bytes(64), size, INFER))
        graph = f"openvino::{folder}"
        compare(
            "tiny, by name",
            [*mine, "--graph", graph, str(wasm)],
            [*theirs, "-S", f"nn-graph={graph}", str(wasm)],
            environment,
            PRINTED.size,
        )
        if not fixture.is_dir():
            print(f"{fixture} is not built")
            return
        seen, wasm = f"{fixture}::fixture", fixture / "classify.wasm"
        case = sorted(path.name.partition("-")[0] for path in fixture.glob("*-*x*-*"))[0]
        graph = f"openvino::{fixture}"
        compare(
            f"{fixture.name}, by bytes",
            [*mine, "--dir", seen, str(wasm), "--", case],
            [*theirs, "--dir", seen, str(wasm), case],
            environment,
        )
        compare(
            f"{fixture.name}, by name",
            [
                *mine,
                "--dir",
                seen,
                "--graph",
                graph,
                str(wasm),
                "--",
                "--graph",
                fixture.name,
                case,
            ],
            [
                *theirs,
                "--dir",
                seen,
                "-S",
                f"nn-graph={graph}",
                str(wasm),
                "--graph",
                fixture.name,
                case,
            ],
            environment,
        )


if __name__ == "__main__":
    main()
