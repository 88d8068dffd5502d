"""Fuzzes the component interface: 20,000 random sequences of calls, each made both ways.

Run `python benchmarks/fuzz_components.py [COUNT [FIRST]]`. Each call must end alike in Wasmtime's
component model and in the canonical ABI by hand, and nothing may be held at the end. A sequence
that ends the process (a crash of native code) is named by its number in the last line. It exits
with 1 when a sequence was not safe.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.conformance.models import ir
from tests.host.component_fuzz import Fuzzer


def main() -> int:
    """Fuzz, and print what was called."""
    count, first = (int(each) for each in (*sys.argv[1:], *("20000", "0")[len(sys.argv) - 1 :]))
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        models = {}
        for title, model in (("m", ir.add()), ("two", ir.subtract())):
            folder = models[title] = Path(name) / title
            folder.mkdir()
            for part, data in zip(("model.xml", "model.bin"), model.parts, strict=True):
                (folder / part).write_bytes(data)
        fuzzer = Fuzzer(models)
        started = time.perf_counter()
        for seed in range(first, first + count):
            print(f"\rseed {seed}", end="", file=sys.stderr, flush=seed % 100 == 0)
            try:
                fuzzer.sequence(seed)
            except AssertionError as error:
                wrong += 1
                print(f"\n{error}")
    took = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\n{count} sequences, {sum(fuzzer.counts.values())} calls each way, {took:.0f} s")
    for called, times in sorted(fuzzer.counts.items()):
        print(f"  {called}: {times}")
    print(f"peak memory {memory} MiB; not safe: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
