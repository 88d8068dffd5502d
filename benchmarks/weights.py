"""What a guest's model costs in memory: weights by bytes and by name, beside openvino alone.

Run `python benchmarks/weights.py`. Three dense layers of AlexNet's size, 233 MiB of weights from a
fixed seed, are inferred by whole processes: openvino alone, which maps the weights; `wasi-nn run`
with a guest that reads them into its memory and loads them by bytes; the same by name. Each must
give the same output. The least peak of a few runs counts.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.timing import Timed, timed
from pipeline.verify import native_program

RUNS = 3
WIDTHS = (9216, 4096, 4096, 1000)
# The guest's memory: what it passes first, then its input, its output, the xml and the weights.
_DIMS, _TENSOR, _BUILDERS, _IOVEC, _HANDLE, _NAMES = 0, 16, 48, 64, 96, 128
_INPUT = 1 << 16
_OUTPUT = _INPUT + 4 * WIDTHS[0]
_XML = _OUTPUT + 4 * WIDTHS[-1] + 7 & ~7
_GUEST = """\
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output"
    (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") {pages}) {data}
  (func $must (param i32) (if (local.get 0) (then unreachable)))
  ;; Reads a whole file to a place, and returns its size.
  (func $file (param $name i32) (param $length i32) (param $at i32) (result i32)
    (local $size i32)
    (call $must (call $open (i32.const 3) (i32.const 0) (local.get $name) (local.get $length)
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const {handle})))
    (loop $more
      (i32.store (i32.const {iovec}) (i32.add (local.get $at) (local.get $size)))
      ;; All that its memory has room for.
      (i32.store offset=4 (i32.const {iovec}) (i32.sub (i32.shl (memory.size) (i32.const 16))
        (i32.load (i32.const {iovec}))))
      (call $must (call $read (i32.load (i32.const {handle})) (i32.const {iovec}) (i32.const 1)
        (i32.const {count})))
      (local.set $size (i32.add (local.get $size) (i32.load (i32.const {count}))))
      (br_if $more (i32.load (i32.const {count}))))
    (local.get $size))
  (func (export "_start")
    (drop (call $file (i32.const {names}) (i32.const 5) (i32.const {input})))
    {load}
    (call $must (call $init (i32.const 0) (i32.const {handle})))
    (call $must (call $set (i32.const 0) (i32.const 0) (i32.const {tensor})))
    (call $must (call $compute (i32.const 0)))
    (call $must (call $get (i32.const 0) (i32.const 0) (i32.const {output}) (i32.const {size})
      (i32.const {count})))
    (i32.store (i32.const {iovec}) (i32.const {output}))
    (i32.store offset=4 (i32.const {iovec}) (i32.const {size}))
    (call $must (call $write (i32.const 1) (i32.const {iovec}) (i32.const 1)
      (i32.const {count})))))
"""
_BY_BYTES = """\
(i32.store (i32.const {builders}) (i32.const {xml}))
(i32.store offset=4 (i32.const {builders}) (call $file (i32.const {names_xml}) (i32.const 9)
  (i32.const {xml})))
(i32.store offset=8 (i32.const {builders}) (i32.const {bin}))
(i32.store offset=12 (i32.const {builders}) (call $file (i32.const {names_bin}) (i32.const 9)
  (i32.const {bin})))
(call $must (call $load (i32.const {builders}) (i32.const 2) (i32.const 0) (i32.const 0)
  (i32.const {handle})))
"""
_BY_NAME = """\
(call $must (call $by_name (i32.const {names_net}) (i32.const 3) (i32.const {handle})))
"""


def save(folder: Path) -> None:
    """Write the model and its input."""
    import numpy
    import openvino
    from openvino import opset13 as op

    made = numpy.random.default_rng(0)
    first = last = op.parameter([1, WIDTHS[0]], numpy.float32, name="x")
    for given, wanted in pairwise(WIDTHS):
        weights = made.standard_normal((given, wanted), numpy.float32) / numpy.float32(given)
        last = op.relu(op.matmul(last, op.constant(weights), False, False))
    model = openvino.Model([op.result(last)], [first], "dense")
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    (folder / "input").write_bytes(made.random(WIDTHS[0], numpy.float32).tobytes())


def write_guest(folder: Path, load: str) -> Path:
    """Compile the guest that loads its model in one of two ways."""
    import wasmtime

    xml, weights = ((folder / f"model.{each}").stat().st_size for each in ("xml", "bin"))
    start = _XML + xml + 63 & ~63
    places: dict[str, Any] = {
        "builders": _BUILDERS,
        "iovec": _IOVEC,
        "handle": _HANDLE,
        "count": _HANDLE + 8,
        "tensor": _TENSOR,
        "input": _INPUT,
        "output": _OUTPUT,
        "size": 4 * WIDTHS[-1],
        "xml": _XML,
        "bin": start,
        "names": _NAMES,
        "names_xml": _NAMES + 5,
        "names_bin": _NAMES + 14,
        "names_net": _NAMES + 23,
    }
    loading = load.format(**places)
    end = start + weights if load is _BY_BYTES else _XML
    tensor = struct.pack("<5I", _DIMS, 2, 1, _INPUT, 4 * WIDTHS[0])
    given = {
        _DIMS: struct.pack("<2I", 1, WIDTHS[0]),
        _TENSOR: tensor,
        _NAMES: b"inputmodel.xmlmodel.binnet",
    }
    data = " ".join(
        f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in each)}")'
        for at, each in given.items()
    )
    text = _GUEST.format(load=loading, data=data, pages=(end >> 16) + 20, **places)
    wasm = folder / ("bytes.wasm" if load is _BY_BYTES else "name.wasm")
    wasm.write_bytes(wasmtime.wat2wasm(text))
    return wasm


def sandboxed(folder: Path, wasm: Path, *options: str) -> list[str]:
    """Return the command of a guest, which leaves its output beside the model."""
    program = (
        "import sys; from pathlib import Path; "
        "from pipeline.host.host import Host, NamedGraph, Preopen; "
        "folder, wasm = map(Path, sys.argv[1:3]); "
        "Host().run(wasm, dirs=[Preopen(host=folder, guest='in')], memory=1 << 29, "
        "graphs=[NamedGraph('net', folder)], stdout=wasm.with_suffix('.out'))"
    )
    return [sys.executable, "-c", program, str(folder), str(wasm), *options]


def natively(folder: Path) -> list[str]:
    """Return the command of openvino alone."""
    order = {
        "xml": str(folder / "model.xml"),
        "count": 1,
        "inputs": [str(folder / "input")],
        "shapes": [[1, WIDTHS[0]]],
        "outputs": [str(folder / "native.out")],
    }
    return [sys.executable, "-I", native_program.__file__, json.dumps(order)]


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(folder)
        weights = (folder / "model.bin").stat().st_size
        guests = {way: write_guest(folder, text) for way, text in WAYS.items()}
        runs: dict[str, list[Timed]] = {"openvino alone": [], **{way: [] for way in WAYS}}
        for _ in range(RUNS):
            runs["openvino alone"].append(timed(natively(folder), ROOT))
            for way, wasm in guests.items():
                runs[way].append(timed(sandboxed(folder, wasm), ROOT))
                expected = (folder / "native.out").read_bytes()
                if wasm.with_suffix(".out").read_bytes() != expected:
                    raise SystemExit(f"{way}: the guest's output is not the native one's")
        bare = min(run.memory for run in runs["openvino alone"])
        print(f"weights {weights / 2**20:.0f} MiB")
        for way, each in runs.items():
            memory, seconds = min(run.memory for run in each), min(run.seconds for run in each)
            print(
                f"{way}: {memory / 2**20:.0f} MiB, native + {(memory - bare) / weights:.2f} x the "
                f"weights; {seconds:.2f} s"
            )


WAYS = {"by bytes": _BY_BYTES, "by name": _BY_NAME}

if __name__ == "__main__":
    main()
