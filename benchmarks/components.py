"""SqueezeNet's shapes in a component's loop, both ways here and on the Wasmtime CLI.

Run `python benchmarks/components.py`. Each process loads a model by name, and in each turn makes a
tensor of 602,112 bytes, computes, and reads the output. The processes take turns; the time of a
turn is the difference of a run of many turns and a run of one, divided by their difference, so that
start and compilation do not count. Of several runs the fastest counts; all outputs must be equal.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.verify.peers import wasmtime_command, wasmtime_environment
from tests.host.component_script import ComponentScript

ROUNDS, TURNS = 5, 20
SHAPE = (1, 3, 224, 224)
SIZE = 4 * 3 * 224 * 224
_AT = 3 << 16


def save(folder: Path) -> None:
    """Write a network of the size of SqueezeNet: convolutions, a mean and a softmax."""
    import numpy
    import openvino
    from openvino import opset13 as op

    numbers = numpy.random.default_rng(1)
    x = node = op.parameter(list(SHAPE), numpy.float32, name="x")
    channels = 3
    for filters, stride in ((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (1000, 1)):
        kernel: Any = numbers.standard_normal((filters, channels, 3, 3), numpy.float32) / 50
        node = op.relu(
            op.convolution(node, op.constant(kernel), [stride] * 2, [1, 1], [1, 1], [1, 1])
        )
        channels = filters
    mean = op.reduce_mean(node, op.constant(numpy.array([2, 3])), keep_dims=False)
    model = openvino.Model([op.result(op.softmax(mean, 1))], [x], "net")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)


def component(folder: Path, turns: int, *, general: bool) -> Path:
    """Write the component that takes so many turns and prints the last output."""
    script = ComponentScript(silent=True)
    context = script.context(script.load("net"))
    once = ComponentScript(free=script.free)
    # The blocks of the last turn are used again.
    once.body.append(f"(global.set $top (i32.const {_AT + SIZE}))")
    dims = once.put(b"".join(each.to_bytes(4, "little") for each in SHAPE))
    tensor = once.call("tensor.constructor", dims, 4, 1, _AT, SIZE)
    result = once.compute(context, ("x", tensor))
    data = once.call("tensor.data", once.output(result))
    once.call("drop.tensor", once.output(result))
    script.segments += once.segments
    script.loop(turns, once)
    fill = (
        f"(drop (memory.grow (i32.const {SIZE // 65536 + 64})))"
        "(loop $fill"
        f" (f32.store (i32.add (i32.const {_AT}) (global.get $at))"
        " (f32.convert_i32_u (i32.rem_u (global.get $at) (i32.const 251))))"
        " (global.set $at (i32.add (global.get $at) (i32.const 4)))"
        f" (br_if $fill (i32.lt_u (global.get $at) (i32.const {SIZE}))))"
    )
    script.functions += "(global $at (mut i32) (i32.const 0))\n"
    script.body.insert(0, fill)
    script.body.append(
        f"(i32.store (i32.const 0) (i32.load (i32.const {data.at})))"
        f"(i32.store (i32.const 4) (i32.load (i32.const {data.at + 4})))"
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
    )
    folder.mkdir(exist_ok=True)
    return script.write(folder, general=general)


def ran(command: list[str], environment: Mapping[str, str], outputs: set[bytes]) -> float:
    """Return the seconds of a process, and keep its output."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    outputs.add(done.stdout)
    return time.perf_counter() - started


def main() -> None:
    """Print a line for each way."""
    with tempfile.TemporaryDirectory() as name:
        tools = Path(name)
        cli, environment = str(wasmtime_command(tools)), wasmtime_environment(tools)
        net = tools / "net"
        net.mkdir()
        save(net)
        wasi_nn = str(Path(sys.executable).parent / "wasi-nn")
        here = [wasi_nn, "run", "--seconds", "600", "--graph", f"net={net}"]
        there = [cli, "run", "-S", "nn", "-S", f"nn-graph=openvino::{net}"]
        commands: dict[tuple[str, int], list[str]] = {}
        for turns in (1, 1 + TURNS):
            core = str(component(tools / f"core{turns}", turns, general=False))
            general = str(component(tools / f"general{turns}", turns, general=True))
            commands["Wasmtime CLI", turns] = [*there, core]
            commands["as its core program", turns] = [*here, core]
            commands["as a component", turns] = [*here, general]
        outputs: set[bytes] = set()
        best: dict[tuple[str, int], float] = {}
        for _ in range(ROUNDS):
            for key, command in commands.items():
                took = ran(command, environment, outputs)
                best[key] = min(best.get(key, took), took)
        assert len(outputs) == 1, "the outputs differ"
        for way in ("Wasmtime CLI", "as its core program", "as a component"):
            whole, turn = best[way, 1], (best[way, 1 + TURNS] - best[way, 1]) / TURNS
            peer = (best["Wasmtime CLI", 1 + TURNS] - best["Wasmtime CLI", 1]) / TURNS
            print(
                f"{way:<20} {turn * 1000:7.1f} ms a turn ({turn / peer:.2f} of the CLI), "
                f"whole process {whole:.3f} s ({whole - best['Wasmtime CLI', 1]:+.3f} s)"
            )


if __name__ == "__main__":
    main()
