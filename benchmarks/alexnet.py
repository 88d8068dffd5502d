"""Peak memory at full size: converting AlexNet, and inferring it by name in the sandbox.

Run `python benchmarks/alexnet.py` in a project where `doit manifest:alexnet-seeded` was run. The
sandbox is held against a process that infers the same IR with openvino alone; both map the weights.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.convert import plain
from benchmarks.timing import Timed, timed
from pipeline.config.load_project import load_project
from pipeline.graph.layout import Layout
from pipeline.toolchain.environment import python_of
from pipeline.verify import native_program

NAME = "alexnet-seeded"
RUNS = 3


def main() -> None:
    """Print the figures."""
    configs = load_project(ROOT)
    layout = Layout(configs)
    folder = layout.artifacts / NAME
    weights = (folder / "model.bin").stat().st_size
    with tempfile.TemporaryDirectory() as scratch:
        ours, native = [], []
        for _ in range(RUNS):
            ours.append(timed(sandboxed(folder), ROOT))
            native.append(timed(natively(folder, Path(scratch)), ROOT))
        bare, memory = least(native), least(ours)
        print(f"weights {mib(weights)}; openvino alone {mib(bare)}; by name {mib(memory)}")
        print(f"by name: native + {(memory - bare) / weights:.2f} x the weights")
        times = [min(run.seconds for run in runs) for runs in (ours, native)]
        print(f"whole process, cold: {times[0] / times[1]:.2f} x native")

        topology = ROOT / "configs/topologies/alexnet.prototxt"
        caffemodel = layout.step(NAME, f"{NAME}.caffemodel")
        given = [Path(scratch) / "net.prototxt", Path(scratch) / "net.caffemodel"]
        for source, target in zip((topology, caffemodel), given, strict=True):
            target.write_bytes(source.read_bytes())
        python = python_of(layout.environment("mo").folder)
        model = configs.fixtures[NAME].model
        run = timed(plain(model, given, python), Path(scratch))
        print(f"mo alone, on {python_of_stamp(layout)}: {run.seconds:.1f} s, {mib(run.memory)}")
        command = [sys.executable, "-m", "pipeline.cli.main", "convert", *map(str, given)]
        run = timed([*command, "-o", f"{scratch}/ours"], ROOT)
        print(f"wasi-nn convert: {run.seconds:.1f} s, {mib(run.memory)}")


def sandboxed(folder: Path) -> list[str]:
    """Return the guest's command, with the model by its name."""
    return [
        *(sys.executable, "-m", "pipeline.cli.main", "run", "--graph", f"openvino::{folder}"),
        *("--dir", f"{folder}::fixture", str(folder / "classify.wasm")),
        *("--", "--graph", NAME, "cat"),
    ]


def natively(folder: Path, scratch: Path) -> list[str]:
    """Return the command of the native check."""
    order = {
        "xml": str(folder / "model.xml"),
        "count": 1,
        "inputs": [str(folder / "tensor-1x3x227x227-f32.bgr")],
        "shapes": [[1, 3, 227, 227]],
        "outputs": [str(scratch / "fc8"), str(scratch / "prob")],
    }
    return [sys.executable, "-I", native_program.__file__, json.dumps(order)]


def least(runs: list[Timed]) -> int:
    """Return the least peak of several runs, in bytes."""
    return min(run.memory for run in runs)


def mib(count: int) -> str:
    """Return bytes in MiB."""
    return f"{count / 2**20:.0f} MiB"


def python_of_stamp(layout: Layout) -> str:
    """Return the Python that mo runs on."""
    return f"Python {json.loads(layout.stamp('mo').read_bytes())['python']}"


if __name__ == "__main__":
    main()
