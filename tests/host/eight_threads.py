"""Eight guests in eight threads on one fresh host, again and again; `…eight_threads FOLDER COUNT`.

FOLDER holds the model ``add``. Each thread's first call of a framework comes at the same time as
the others'. It prints how many hosts were right.
"""

from __future__ import annotations

import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from pipeline.host.host import Host, NamedGraph
from tests.host.script import Script, write_guest

THREADS, INFERENCES = 8, 3


def guest(folder: Path, number: int) -> Path:
    """Return a guest that infers with its number; an odd one loads the model from its bytes."""
    script = Script()
    if number % 2:
        xml, weights = ((folder / "add/model").with_suffix(each) for each in (".xml", ".bin"))
        script.ready(xml.read_bytes(), weights.read_bytes())
    else:
        script.call("load_by_name", script.put(b"add"), 3, script.room())
        script.call("init_execution_context", 0, script.room())
    data = struct.pack("<4f", *[number] * 4)
    for _ in range(INFERENCES):
        script.call("set_input", 0, 0, script.tensor(1, [1, 4], data))
        script.call("compute", 0)
        script.call("get_output", 0, 0, script.room(16), 16, script.room())
    return write_guest(folder, script.wat(), f"guest{number}.wasm")


def run(host: Host, wasm: Path, model: Path, together: Barrier) -> list[tuple[float, ...]]:
    """Return the outputs that a guest got."""
    together.wait(timeout=60)
    outcome = host.run(wasm, graphs=[NamedGraph("add", model)], tensors=1 << 20, capture=0)
    assert outcome.messages == ()
    outputs = [each.data for each in outcome.tensors if each.direction == "output"]
    return [struct.unpack("<4f", each) for each in outputs]


def main() -> None:
    """Run as many fresh hosts as the command line says."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    wasms = [guest(folder, number) for number in range(THREADS)]
    right = 0
    for _ in range(count):
        together = Barrier(THREADS)
        with Host() as host, ThreadPoolExecutor(THREADS) as pool:
            runs = [pool.submit(run, host, wasm, folder / "add", together) for wasm in wasms]
            found = [each.result(timeout=60) for each in runs]
        right += found == [
            [(number, number + 10, number + 20, number + 30)] * INFERENCES
            for number in range(THREADS)
        ]
    print(right)


if __name__ == "__main__":
    main()
