"""The host as a library: what a run gives back, and several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.host import Host, NamedGraph
from pipeline.host.model_types import Encoding
from tests.host.conftest import Ir
from tests.host.made_models import tflite_model
from tests.host.script import END, Script, write_guest
from tests.host.test_backends import onnx_relu

WASI = "wasi_snapshot_preview1"
IMPORTS = f"""
(import "{WASI}" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
(import "{WASI}" "proc_exit" (func $exit (param i32)))
(memory (export "memory") 1)
(data (i32.const 0) "\\10\\00\\00\\00\\03\\00\\00\\00") (data (i32.const 16) "abc")
(func $say (param i32) (drop (call $write (local.get 0) (i32.const 0) (i32.const 1)
  (i32.const 8))))
"""


def guest(folder: Path, body: str) -> Path:
    return write_guest(folder, f'(module {IMPORTS} (func (export "_start") {body}))')


SAYING = "(call $say (i32.const 1)) (call $say (i32.const 2)) (call $say (i32.const 2))"


def test_output_is_captured_up_to_what_was_asked(tmp_path: Path) -> None:
    wasm = guest(tmp_path, f"{SAYING} (call $exit (i32.const 7))")
    with Host() as host:
        outcome = host.run(wasm, capture=100)
        short = host.run(wasm, capture=5)
        none = host.run(wasm, stdout=tmp_path / "out", stderr=tmp_path / "err")
        both = host.run(wasm, stdout=tmp_path / "out", capture=2)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (7, b"abc", b"abcabc")
    assert (short.stdout, short.stderr) == (b"abc", b"abcab")
    assert (none.stdout, none.stderr) == (None, None)
    assert (both.stdout, (tmp_path / "out").read_bytes()) == (b"ab", b"abc")


def test_a_captured_guest_that_prints_without_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host import host as module

    monkeypatch.setattr(module, "_MOST_CAPTURED", 1 << 20)
    with Host() as host, pytest.raises(PipelineError) as caught:
        host.run(guest(tmp_path, "(loop (call $say (i32.const 1)) (br 0))"), capture=100)
    assert caught.value.code is Code.STORAGE


def crossing(models: dict[str, Ir]) -> Script:
    script = Script()
    script.ready(models["subtract"].xml, models["subtract"].bin)
    script.call("set_input", 0, 1, script.tensor(1, [2], numpy.array([1, 2], "<f4").tobytes()))
    script.call("set_input", 0, 0, script.tensor(1, [2], numpy.array([5, 9], "<f4").tobytes()))
    script.call("set_input", 0, 0, script.tensor(1, [3], bytes(12)))
    script.call("compute", 0)
    script.call("get_output", 0, 0, script.room(8), 4, script.room())
    script.call("get_output", 0, 0, script.room(8), 8, script.room())
    return script


def test_the_tensors_that_crossed(tmp_path: Path, models: dict[str, Ir]) -> None:
    wasm = write_guest(tmp_path, crossing(models).wat())
    with Host() as host:
        outcome = host.run(wasm, tensors=10_000, capture=END)
        unasked = host.run(wasm, capture=END)
    found = [
        (each.direction, each.index, each.name, each.array().tolist()) for each in outcome.tensors
    ]
    # Refused ones did not cross.
    assert found[:2] == [("input", 1, "subtrahend", [1, 2]), ("input", 0, "minuend", [5, 9])]
    assert [(*each[:2], each[3]) for each in found[2:]] == [("output", 0, [4, 7])]
    assert {each.element for each in outcome.tensors} == {"f32"}
    assert (outcome.dropped, unasked.tensors) == (0, ())


def test_tensors_are_kept_up_to_what_was_asked(tmp_path: Path, models: dict[str, Ir]) -> None:
    wasm = write_guest(tmp_path, crossing(models).wat())
    with Host() as host:
        outcome = host.run(wasm, tensors=1100, capture=END)
    assert (len(outcome.tensors), outcome.dropped) == (2, 1)


@pytest.mark.parametrize(
    ("framework", "encoding", "number", "model"),
    [
        ("openvino", Encoding.ONNX, 1, lambda: onnx_relu(dims=("n", 4))),
        ("onnxruntime", Encoding.ONNX, 1, lambda: onnx_relu(dims=("n", 4))),
        ("litert", Encoding.TENSORFLOWLITE, 4, lambda: tflite_model(dims=(-1, 4))),
    ],
)
def test_an_output_of_a_dynamic_model_has_the_shape_that_it_had(
    tmp_path: Path, framework: str, encoding: Encoding, number: int, model: Callable[[], bytes]
) -> None:
    script = Script()
    script.call("load", script.builders(model()), 1, number, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(1, [3, 4], bytes(48)))
    script.call("compute", 0)
    script.call("get_output", 0, 0, script.room(48), 48, script.room())
    wasm = write_guest(tmp_path, script.wat())
    with Host(backends={encoding: framework}) as host:
        outcome = host.run(wasm, tensors=10_000, capture=END)
    assert [(each.element, each.dims) for each in outcome.tensors] == [("f32", (3, 4))] * 2


def adding(folder: Path, number: int) -> Path:
    """A guest that adds to a number of its own, and prints its memory."""
    script = Script()
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    script.call("init_execution_context", 0, script.room())
    for _ in range(20):
        data = numpy.full(4, number, "<f4").tobytes()
        script.call("set_input", 0, 0, script.tensor(1, [1, 4], data))
        script.call("compute", 0)
        script.call("get_output", 0, 0, script.room(16), 16, script.room())
    return write_guest(folder, script.wat(), f"add{number}.wasm")


def test_four_threads_share_a_host(
    tmp_path: Path, models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends.openvino import OpenVINO

    loads: list[object] = []
    real = OpenVINO.load_files

    def load_files(*arguments: Any) -> Any:
        loads.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(OpenVINO, "load_files", load_files)
    graphs = [NamedGraph("add", models["add"].folder)]
    wasms = [adding(tmp_path, number) for number in range(4)]
    leaving = [write_guest(tmp_path, f"(module {IMPORTS} (func (export \"_start\") "
                           f"(call $exit (i32.const {code}))))", f"exit{code}.wasm")
               for code in range(4)]  # fmt: skip
    trapping = guest(tmp_path, "unreachable")

    def work(number: int) -> None:
        for _ in range(5):
            outcome = host.run(wasms[number], graphs=graphs, tensors=1 << 20, capture=END)
            made = [each.array().tolist() for each in outcome.tensors if each.direction == "output"]
            assert made == [[[number, number + 10, number + 20, number + 30]]] * 20
            assert outcome.messages == ()
            assert host.run(leaving[number]).exit_code == number
            with pytest.raises(PipelineError, match="trapped"):
                host.run(trapping)

    with Host() as host, ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(timeout=120)
    assert len(loads) == 1


def test_guests_run_at_the_same_time(
    tmp_path: Path, models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends.openvino import OpenVINOContext

    # Neither gets through unless the other is inside too.
    both = threading.Barrier(2)
    monkeypatch.setattr(OpenVINOContext, "compute", lambda _self: both.wait(timeout=60) and None)
    script = Script()
    script.ready(models["add"].xml, models["add"].bin)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], bytes(16)))
    script.call("compute", 0)
    wasm = write_guest(tmp_path, script.wat())
    with Host() as host, ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(host.run, wasm, capture=END) for _ in range(2)]
        assert [run.result(timeout=120).messages for run in runs] == [(), ()]
