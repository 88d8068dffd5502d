"""How much the host adds to an inference, against the leanest loop of OpenVINO in Python.

Run `python benchmarks/host.py`. A guest and the native loop infer the same models with the same
input in turn, in this process, so that a machine whose speed drifts slows both; their outputs must
be equal to the byte. Of many short spans the fastest of each counts, since what else the machine
does can only slow one. The guest reads the clock itself, so that neither its compiling nor the
loading of the model counts.
"""

from __future__ import annotations

import struct
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.host.host import Host, NamedGraph

ROUNDS = 9
# The guest's memory: numbers first, then the name, the input at 64 KiB, and what it prints after
# that: the clock before and after, the fastest span, and the output, in one piece, since a host may
# write only the first of several.
_HANDLE, _WRITTEN, _TENSOR, _DIMS, _NAME, _IOVEC, _TICK = 16, 24, 32, 64, 96, 128, 144
PRINTED = struct.Struct("<3Q")
_INPUT = 1 << 16
_GUEST = """\
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output"
    (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") {pages})
  (data (i32.const {tensor}) "{record}") (data (i32.const {dims}) "{axes}")
  (data (i32.const {name}) "net") (data (i32.const {iovec}) "{vector}")
  (data (i32.const {input}) "{values}")
  (func $must (param i32) (if (local.get 0) (then unreachable)))
  (func (export "_start") (local $left i32) (local $spans i32) (local $least i64)
    (call $must (call $load (i32.const {name}) (i32.const 3) (i32.const {handle})))
    (local.set $left (i32.const {contexts}))
    (loop $another
      (call $must (call $init (i32.const 0) (i32.const {handle})))
      (br_if $another (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    {first}
    (local.set $least (i64.const -1))
    (local.set $spans (i32.const {spans}))
    (call $must (call $clock (i32.const {which}) (i64.const 0) (i32.const {clock})))
    (loop $span
      (local.set $left (i32.const {calls}))
      (call $must (call $clock (i32.const {which}) (i64.const 0) (i32.const {tick})))
      (loop $again
        {body}
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (call $must (call $clock (i32.const {which}) (i64.const 0) (i32.const {after})))
      (i64.store (i32.const {tick})
        (i64.sub (i64.load (i32.const {after})) (i64.load (i32.const {tick}))))
      (if (i64.lt_u (i64.load (i32.const {tick})) (local.get $least))
        (then (local.set $least (i64.load (i32.const {tick})))))
      (br_if $span (local.tee $spans (i32.sub (local.get $spans) (i32.const 1)))))
    (i64.store (i32.const {least}) (local.get $least))
    (call $must (call $write (i32.const 1) (i32.const {iovec}) (i32.const 1)
      (i32.const {written})))))
"""
_SET = "(call $must (call $set (i32.const 0) (i32.const 0) (i32.const {tensor})))"
_COMPUTE = "(call $must (call $compute (i32.const 0)))"
_GET = """\
(call $must (call $get (i32.const 0) (i32.const 0) (i32.const {output}) (i32.const {size})
  (i32.const {written})))
"""
INFER = _SET + _COMPUTE + _GET
# A context that does not exist is looked up, refused, and told of.
_CALLS = {
    "set_input of 64 bytes": _SET,
    "get_output of 64 bytes": _GET,
    "a refused call": "(drop (call $compute (i32.const 9)))",
}


@dataclass(frozen=True)
class Case:
    """A model of one f32 input and output, the inferences of a span, and the spans of a round."""

    name: str
    shape: tuple[int, ...]
    calls: int
    spans: int
    build: Callable[[Any, Any, Any], Any]


def added(op: Any, numpy: Any, x: Any) -> Any:
    """Return a model that hardly computes."""
    return op.add(x, op.constant(numpy.float32(1)))


def convolved(op: Any, numpy: Any, x: Any) -> Any:
    """Return a model of some milliseconds: convolutions and a mean over the picture."""
    made = numpy.random.default_rng(0)
    for channels, inner in ((48, 3), (48, 48), (96, 48)):
        weights = made.standard_normal((channels, inner, 3, 3), numpy.float32) / inner
        x = op.relu(op.convolution(x, op.constant(weights), [2, 2], [1, 1], [1, 1], [1, 1]))
    return op.reduce_mean(x, op.constant(numpy.array([2, 3])), False)


CASES = (
    Case("microseconds", (1, 16), 100, 50, added),
    Case("milliseconds", (1, 3, 320, 320), 1, 60, convolved),
)


def save(case: Case, folder: Path) -> int:
    """Write the model as IR and return the bytes of its output."""
    import numpy
    import openvino
    from openvino import opset13 as op

    x = op.parameter(list(case.shape), numpy.float32, name="x")
    model = openvino.Model([op.result(case.build(op, numpy, x))], [x], case.name)
    openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
    return 4 * int(numpy.prod(list(model.outputs[0].shape)))


def guest(
    case: Case,
    data: bytes,
    size: int,
    body: str,
    *,
    contexts: int = 1,
    clock: int = 1,
) -> bytes:
    """Return the module that runs ``body`` in spans and prints PRINTED and its output.

    ``clock`` is WASI's number: 0 is the time of day, 1 counts from the guest's own beginning.
    """
    import wasmtime

    clock_at = _INPUT + len(data) + 7 & ~7
    output = clock_at + PRINTED.size
    places = {
        "clock": clock_at,
        "after": clock_at + 8,
        "least": clock_at + 16,
        "tick": _TICK,
        "which": clock,
        "contexts": contexts,
        "handle": _HANDLE,
        "written": _WRITTEN,
        "tensor": _TENSOR,
        "dims": _DIMS,
        "name": _NAME,
        "iovec": _IOVEC,
        "input": _INPUT,
        "output": output,
        "size": size,
        "calls": case.calls,
        "spans": case.spans,
        "pages": 2 + (output + size >> 16),
        "record": text(struct.pack("<5I", _DIMS, len(case.shape), 1, _INPUT, len(data))),
        "axes": text(struct.pack(f"<{len(case.shape)}I", *case.shape)),
        "vector": text(struct.pack("<2I", clock_at, PRINTED.size + size)),
        "values": text(data),
    }
    first, loop = INFER.format(**places), body.format(**places)
    return bytes(wasmtime.wat2wasm(_GUEST.format(first=first, body=loop, **places)))


def text(data: bytes) -> str:
    """Return bytes as a string of WebAssembly's text format."""
    return "".join(f"\\{each:02x}" for each in data)


def native(
    folder: Path, data: bytes, shape: tuple[int, ...]
) -> Callable[[Case], tuple[float, bytes]]:
    """Return the lean loop: one request, tensors of its own, nothing allocated meanwhile."""
    import numpy
    import openvino

    compiled = openvino.Core().compile_model(
        folder / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    request = compiled.create_infer_request()
    source = numpy.frombuffer(data, "<f4").reshape(shape)
    given = numpy.empty_like(source)
    request.set_input_tensor(0, openvino.Tensor(given, shared_memory=True))
    result = numpy.empty(tuple(compiled.output(0).shape), numpy.float32)
    request.set_output_tensor(0, openvino.Tensor(result, shared_memory=True))
    taken = numpy.empty_like(result)

    def loop(case: Case) -> tuple[float, bytes]:
        least = float("inf")
        for _ in range(case.spans):
            started = time.perf_counter()
            for _ in range(case.calls):
                given[...] = source
                request.infer(share_outputs=True)
                taken[...] = result
            least = min(least, time.perf_counter() - started)
        return least / case.calls, taken.tobytes()

    return loop


def sandboxed(host: Host, wasm: Path, folder: Path, calls: int) -> tuple[float, bytes]:
    """Return the seconds of a call in the guest's fastest span, and the guest's output."""
    out = wasm.with_suffix(".out")
    host.run(wasm, graphs=[NamedGraph("net", folder)], stdout=out)
    return read(out.read_bytes(), calls)


def read(printed: bytes, calls: int) -> tuple[float, bytes]:
    """Return the same of what a guest printed."""
    _, _, least = PRINTED.unpack_from(printed)
    return least / 1e9 / calls, printed[PRINTED.size :]


def main() -> None:
    """Print a line for each row of the table."""
    import numpy

    with tempfile.TemporaryDirectory() as name, Host() as host:
        for case in CASES:
            folder = Path(name, case.name)
            folder.mkdir()
            size = save(case, folder)
            count = int(numpy.prod(case.shape))
            data = numpy.random.default_rng(1).random(count, numpy.float32).tobytes()
            wasm = folder / "guest.wasm"
            wasm.write_bytes(guest(case, data, size, INFER))
            loop = native(folder, data, case.shape)
            loop(case), sandboxed(host, wasm, folder, case.calls)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                seconds, expected = loop(case)
                theirs.append(seconds)
                seconds, found = sandboxed(host, wasm, folder, case.calls)
                ours.append(seconds)
                if found != expected:
                    raise SystemExit(f"{case.name}: the guest's output is not the native one's")
            one, other = min(ours) * 1e6, min(theirs) * 1e6
            print(f"{case.name}: guest {one:.1f} µs, native {other:.1f} µs, {one / other:.2f} ×")
        case, folder = CASES[0], Path(name, CASES[0].name)
        wasm = folder / "call.wasm"
        for what, body in _CALLS.items():
            wasm.write_bytes(guest(case, bytes(64), 64, body))
            passes = [sandboxed(host, wasm, folder, case.calls)[0] for _ in range(ROUNDS)]
            print(f"{what}: {min(passes) * 1e6:.1f} µs")


if __name__ == "__main__":
    main()
