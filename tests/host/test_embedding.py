"""wasi-nn in a program's own engine, linker and store."""

from __future__ import annotations

import gc
import re
import shutil
import struct
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from pipeline.errors import Code, PipelineError
from pipeline.host.abi.witx import Witx
from pipeline.host.model_types import Encoding
from pipeline.host.wasi_nn import Limits, NamedGraph, WasiNn
from tests.host.conftest import Ir
from tests.host.script import Script, write_guest
from tests.tiny import ROOT

NN = "wasi_ephemeral_nn"
GUEST = f"""(module
  (import "{NN}" "load_by_name" (func $load (param i32 i32 i32) (result i32)))
  (import "{NN}" "init_execution_context" (func $init (param i32 i32) (result i32)))
  (import "{NN}" "set_input" (func $set (param i32 i32 i32) (result i32)))
  (import "{NN}" "compute" (func $compute (param i32) (result i32)))
  (import "{NN}" "get_output" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "add")
  (data (i32.const 16) "\\01\\00\\00\\00\\04\\00\\00\\00")
  (data (i32.const 32) "\\10\\00\\00\\00\\02\\00\\00\\00\\01\\00\\00\\00")
  (data (i32.const 48) "\\10\\00\\00\\00")
  (func (export "load") (result i32) (call $load (i32.const 0) (i32.const 3) (i32.const 8)))
  (func (export "init") (param i32) (result i32) (call $init (local.get 0) (i32.const 8)))
  (func (export "handle") (result i32) (i32.load (i32.const 8)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  ;; The tensor of context 0, with its data at an address.
  (func (export "set") (param i32) (result i32)
    (i32.store (i32.const 44) (local.get 0)) (i32.store (i32.const 48) (i32.const 16))
    (call $set (i32.const 0) (i32.const 0) (i32.const 32)))
  (func (export "compute") (result i32) (call $compute (i32.const 0)))
  (func (export "get") (param i32) (result i32)
    (call $get (i32.const 0) (i32.const 0) (local.get 0) (i32.const 16) (i32.const 8))))"""
INPUT, OUTPUT = 1024, 2048


class Instance:
    """An instance of the guest."""

    def __init__(self, linker: wasmtime.Linker, store: wasmtime.Store) -> None:
        self._store = store
        self._exports = linker.instantiate(store, wasmtime.Module(linker.engine, GUEST)).exports(
            store
        )

    def __getattr__(self, name: str) -> Any:
        function = self._exports[name]
        assert isinstance(function, wasmtime.Func)
        return lambda *values: function(self._store, *values)

    def write(self, at: int, values: list[float]) -> None:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        memory.write(self._store, struct.pack("<4f", *values), at)

    def read(self, at: int) -> list[float]:
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return list(struct.unpack("<4f", memory.read(self._store, at, at + 16)))


def linked(nn: WasiNn) -> tuple[wasmtime.Linker, wasmtime.Store]:
    config = wasmtime.Config()
    # Frameworks that other tests have loaded install signal handlers of their own.
    config.signals_based_traps = False
    engine = wasmtime.Engine(config)
    store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
    nn.add_to_linker(linker, store)
    return linker, store


@pytest.fixture
def graph(models: dict[str, Ir]) -> NamedGraph:
    return NamedGraph("add", models["add"].folder)


def test_several_instances_of_one_store(graph: NamedGraph) -> None:
    said: list[str] = []
    nn = WasiNn(graphs=[graph], on_message=said.append)
    linker, store = linked(nn)
    first, second, third = (Instance(linker, store) for _ in range(3))
    for number, each in enumerate((first, second)):
        assert (each.load(), each.handle(), each.init(0)) == (0, 0, 0)
        each.write(INPUT, [number] * 4)
        assert each.set(INPUT) == 0
    assert (first.load(), first.handle(), second.load(), second.handle()) == (0, 1, 0, 1)
    # The third has no handles, whatever the others have.
    assert (third.init(0), third.set(INPUT), third.compute()) == (1, 1, 1)
    assert [line.partition(":")[0] for line in said] == [
        "init_execution_context",
        "set_input",
        "compute",
    ]
    # In turn, as programs do that call each other.
    assert (second.compute(), first.compute()) == (0, 0)
    assert (second.get(OUTPUT), first.get(OUTPUT)) == (0, 0)
    assert first.read(OUTPUT) == [0, 10, 20, 30]
    assert second.read(OUTPUT) == [1, 11, 21, 31]


def test_memories_that_grow_apart(graph: NamedGraph) -> None:
    linker, store = linked(WasiNn(graphs=[graph]))
    instances = [Instance(linker, store) for _ in range(2)]
    for each in instances:
        assert (each.load(), each.init(0), each.set(INPUT)) == (0, 0, 0)
    for step in range(1, 6):
        for number, each in enumerate(instances):
            assert each.grow(40 * (number + 1)) >= 0
            end = (1 + 40 * (number + 1) * step) << 16
            each.write(end - 32, [step] * 4)
            assert each.set(end - 8) == 1
            assert (each.set(end - 32), each.compute(), each.get(end - 16)) == (0, 0, 0)
            assert each.read(end - 16) == [step, step + 10, step + 20, step + 30]


def test_one_object_serves_many_stores_in_threads(graph: NamedGraph) -> None:
    from concurrent.futures import ThreadPoolExecutor

    nn = WasiNn(graphs=[graph])

    def work(number: int) -> list[float]:
        each = Instance(*linked(nn))
        each.write(INPUT, [number] * 4)
        found = each.load(), each.init(0), each.set(INPUT), each.compute(), each.get(OUTPUT)
        assert found == (0, 0, 0, 0, 0)
        return each.read(OUTPUT)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(16))) == [
            [number, number + 10, number + 20, number + 30] for number in range(16)
        ]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_is_raised_where_the_guest_was_called(
    graph: NamedGraph, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def function(_face: Witx, _name: str) -> Any:
        def fail(*_arguments: object) -> int:
            raise kind("in a call")

        return fail

    monkeypatch.setattr(Witx, "function", function)
    each = Instance(*linked(WasiNn(graphs=[graph])))
    for _ in range(2):
        with pytest.raises(kind, match="in a call"):
            each.load()


def test_a_call_after_a_trap_works(graph: NamedGraph) -> None:
    linker, store = linked(WasiNn(graphs=[graph]))
    each = Instance(linker, store)
    assert each.load() == 0
    trapping = wasmtime.Module(linker.engine, '(module (func (export "f") unreachable))')
    function = linker.instantiate(store, trapping).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(wasmtime.Trap):
        function(store)
    assert (each.init(0), each.set(INPUT), each.compute(), each.get(OUTPUT)) == (0, 0, 0, 0)


def test_an_instance_without_a_memory(graph: NamedGraph) -> None:
    said: list[str] = []
    linker, store = linked(WasiNn(graphs=[graph], on_message=said.append))
    text = f"""(module (import "{NN}" "unload" (func $unload (param i32) (result i32)))
      (func (export "f") (result i32) (call $unload (i32.const 0))))"""
    function = linker.instantiate(store, wasmtime.Module(linker.engine, text)).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    assert function(store) == 3
    assert said == ["unload: the guest exports no memory (errno 3, missing_memory)"]


def test_limits_are_each_instances_own(graph: NamedGraph) -> None:
    linker, store = linked(WasiNn(graphs=[graph], limits=Limits(graphs=2)))
    first, second = (Instance(linker, store) for _ in range(2))
    assert [first.load() for _ in range(3)] == [0, 0, 7]
    assert [second.load() for _ in range(3)] == [0, 0, 7]


def test_what_an_instance_held_ends_with_its_store(
    graph: NamedGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.host.backends.openvino import OpenVINOContext

    made: list[weakref.ref[OpenVINOContext]] = []
    real = OpenVINOContext.__init__

    def init(self: OpenVINOContext, *arguments: Any) -> None:
        made.append(weakref.ref(self))
        real(self, *arguments)

    monkeypatch.setattr(OpenVINOContext, "__init__", init)
    nn = WasiNn(graphs=[graph])
    linker, store = linked(nn)
    each = Instance(linker, store)
    assert (each.load(), each.init(0)) == (0, 0)
    assert made[0]() is not None
    del each, store
    gc.collect()
    assert made[0]() is None


def test_functions_are_released_with_their_linker() -> None:
    from pipeline.host.sandbox import host_callbacks

    gc.collect()
    before = len(host_callbacks._kept)
    linker, store = linked(WasiNn())
    assert len(host_callbacks._kept) > before
    del linker, store
    gc.collect()
    assert len(host_callbacks._kept) <= before


def test_a_second_wasi_nn_in_a_linker_is_wasmtimes_error() -> None:
    nn = WasiNn()
    linker, store = linked(nn)
    with pytest.raises(wasmtime.WasmtimeError, match="defined twice"):
        nn.add_to_linker(linker, store)


def test_messages_name_parameters_and_no_flags(tmp_path: Path, graph: NamedGraph) -> None:
    (tmp_path / "file").touch()
    wrong: list[dict[str, Any]] = [
        {"graphs": [graph, graph]},
        {"backends": {Encoding.ONNX: "litert"}},
        {"model_cache": tmp_path / "file/cache"},
    ]
    for options in wrong:
        with pytest.raises(PipelineError) as caught:
            WasiNn(**options)
        assert caught.value.code is Code.USAGE
        assert "--" not in caught.value.render()
        assert f"`{next(iter(options))}`" in caught.value.where


def test_the_library_has_no_flag_in_any_message() -> None:
    """But those of functions that read a command line's words."""
    found = {}
    for path in (ROOT / "pipeline/host").rglob("*.py"):
        flags = re.findall(r"[\"' ]--[a-z]+", path.read_text())
        if flags:
            found[path.name] = flags
    assert found.keys() <= {"backend_registry.py", "graph_registry.py"}, found


@pytest.mark.parametrize("number", [0, 1])
def test_the_page_runs(tmp_path: Path, models: dict[str, Ir], number: int) -> None:
    """Its example is about ten lines, and prints what failed."""
    page = (ROOT / "docs/library.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) == 2
    assert len([line for line in blocks[0].splitlines() if line]) <= 12
    shutil.copytree(models["add"].folder, tmp_path / "models/add")
    script = Script()
    script.call("load_by_name", script.put(b"add"), 3, script.room())
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], bytes(16)))
    script.call("compute", 0)
    script.call("get_output", 0, 0, script.room(16), 16, script.room())
    script.call("compute", 9)
    write_guest(tmp_path, script.wat())
    done = subprocess.run(
        [sys.executable, "-c", blocks[number]],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    said = b"compute: context 9 does not exist", b"0 b'", b"[(1, 4), (1, 4)]"
    assert (said[0] if number == 0 else said[2]) in done.stdout
