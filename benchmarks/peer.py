"""The same guest and model here and on the Wasmtime CLI: an inference, and the whole process.

Run `python benchmarks/peer.py`. Both are processes that take turns, with the same OpenVINO in f32;
the guest finds its fastest span by its own clock, and all its outputs must be equal to the byte. Of
several runs the fastest counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.host import CASES, INFER, guest, read, save
from pipeline.verify.peers import wasmtime_command, wasmtime_environment

ROUNDS = 7


def ran(command: list[str], environment: Mapping[str, str], calls: int) -> tuple[float, float]:
    """Return the seconds of an inference and of the whole process, and keep its output."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    whole = time.perf_counter() - started
    seconds, output = read(done.stdout, calls)
    OUTPUTS.add(output)
    return seconds, whole


def main() -> None:
    """Print a line for each row."""
    import numpy

    with tempfile.TemporaryDirectory() as name:
        tools = Path(name)
        cli, environment = wasmtime_command(tools), wasmtime_environment(tools)
        for case in CASES:
            folder = tools / case.name / "net"
            folder.mkdir(parents=True)
            size = save(case, folder)
            count = int(numpy.prod(case.shape))
            data = numpy.random.default_rng(1).random(count, numpy.float32).tobytes()
            wasm = folder / "guest.wasm"
            wasm.write_bytes(guest(case, data, size, INFER))
            named = f"openvino::{folder}"
            ours = [str(Path(sys.executable).parent / "wasi-nn"), "run", "--graph", named]
            theirs = [str(cli), "run", "-S", "nn", "-S", f"nn-graph={named}"]
            OUTPUTS.clear()
            here: list[tuple[float, float]] = []
            there: list[tuple[float, float]] = []
            for _ in range(ROUNDS):
                for command, runs in ((ours, here), (theirs, there)):
                    runs.append(ran([*command, str(wasm)], environment, case.calls))
            if len(OUTPUTS) != 1:
                raise SystemExit(f"{case.name}: the hosts' outputs differ")
            (one, whole), (other, cold) = (
                (min(each[0] for each in runs), min(each[1] for each in runs))
                for runs in (here, there)
            )
            print(
                f"{case.name}: here {one * 1e6:.1f} µs, Wasmtime CLI {other * 1e6:.1f} µs, "
                f"{one / other:.2f} ×; whole process {whole:.2f} s and {cold:.2f} s, "
                f"{whole - cold:+.2f} s"
            )


OUTPUTS: set[bytes] = set()

if __name__ == "__main__":
    main()
