"""Eight contexts in two threads, against eight infer requests of openvino in two threads.

Run `python benchmarks/contexts.py`. Two guests of one host, each in a thread and with four contexts
of one compiled model, infer in turn; natively two threads do the same with four requests each. Both
infer by the same hint and number of threads. Throughput is all inferences by the time from the
first's beginning to the last's end; the ratio of the medians over the rounds is what counts, and
the outputs must be equal.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.host import CASES, PRINTED, Case, guest, save
from pipeline.host.backend import Hint
from pipeline.host.host import Host, NamedGraph

ROUNDS = 7
THREADS, CONTEXTS = 2, 4
CASE = Case("milliseconds", (1, 3, 224, 224), 100, 1, CASES[1].build)
_INFER = """\
(call $must (call $set (i32.const {context}) (i32.const 0) (i32.const {{tensor}})))
(call $must (call $compute (i32.const {context})))
(call $must (call $get (i32.const {context}) (i32.const 0) (i32.const {{output}})
  (i32.const {{size}}) (i32.const {{written}})))
"""


def in_guests(host: Host, wasms: list[Path], folder: Path) -> tuple[float, list[bytes]]:
    """Return inferences a second of all guests together, and the output of each."""

    def run(wasm: Path) -> bytes:
        out = wasm.with_suffix(".out")
        host.run(wasm, graphs=[NamedGraph("net", folder)], stdout=out, seconds=300)
        return out.read_bytes()

    with ThreadPoolExecutor(THREADS) as pool:
        printed = list(pool.map(run, wasms))
    clocks = [PRINTED.unpack_from(each) for each in printed]
    seconds = (max(end for _, end, _ in clocks) - min(start for start, _, _ in clocks)) / 1e9
    return THREADS * CONTEXTS * CASE.calls / seconds, [each[PRINTED.size :] for each in printed]


def natively(compiled: Any, data: bytes) -> tuple[float, list[bytes]]:
    """Return the same of lean loops: tensors of their own, nothing allocated meanwhile."""
    import numpy
    import openvino

    source = numpy.frombuffer(data, "<f4").reshape(CASE.shape)
    together = Barrier(THREADS)

    def run(_number: int) -> tuple[float, float, bytes]:
        requests = []
        for _ in range(CONTEXTS):
            request = compiled.create_infer_request()
            given = numpy.empty_like(source)
            result = numpy.empty(tuple(compiled.output(0).shape), numpy.float32)
            request.set_input_tensor(0, openvino.Tensor(given, shared_memory=True))
            request.set_output_tensor(0, openvino.Tensor(result, shared_memory=True))
            requests.append((request, given, result))
        taken = numpy.empty(tuple(compiled.output(0).shape), numpy.float32)
        together.wait()
        started = time.perf_counter()
        for _ in range(CASE.calls):
            for request, given, result in requests:
                given[...] = source
                request.infer(share_outputs=True)
                taken[...] = result
        return started, time.perf_counter(), taken.tobytes()

    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(run, range(THREADS)))
    seconds = max(end for _, end, _ in done) - min(start for start, _, _ in done)
    return THREADS * CONTEXTS * CASE.calls / seconds, [each for _, _, each in done]


def compare(hint: Hint, folder: Path, data: bytes, wasms: list[Path]) -> None:
    """Print the line of one hint."""
    import openvino

    config = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint.upper()}
    compiled = openvino.Core().compile_model(folder / "model.xml", "CPU", config)
    ours, theirs = [], []
    with Host(hint=hint) as host:
        in_guests(host, wasms, folder), natively(compiled, data)
        for _ in range(ROUNDS):
            rate, found = in_guests(host, wasms, folder)
            ours.append(rate)
            rate, expected = natively(compiled, data)
            theirs.append(rate)
            if found != expected:
                raise SystemExit("the guests' outputs are not the native ones'")
    one, other = statistics.median(ours), statistics.median(theirs)
    print(f"{hint}: guests {one:.0f} a second, native {other:.0f}, {one / other:.2f} ×")


def main() -> None:
    """Print a line for each hint."""
    import numpy

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = save(CASE, folder)
        data = numpy.random.default_rng(1).random(CASE.shape, numpy.float32).tobytes()
        body = "".join(_INFER.format(context=each) for each in range(CONTEXTS))
        # Of the guest's clocks, the one that all guests share.
        text = guest(CASE, data, size, body, contexts=CONTEXTS, clock=0)
        wasms = [folder / f"guest{number}.wasm" for number in range(THREADS)]
        for wasm in wasms:
            wasm.write_bytes(text)
        for hint in HINTS:
            compare(hint, folder, data, wasms)


HINTS: tuple[Hint, ...] = ("latency", "throughput")

if __name__ == "__main__":
    main()
