"""The component interface over a session: values, resources and errors."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.abi.wit_types import TENSOR_TYPE
from pipeline.host.host import Host, Limits, NamedGraph
from tests.host.component_script import ComponentScript, Place, code_number, write_component
from tests.host.conftest import Ir

X = struct.pack("<4f", 1, 2, 3, 4)
Y = struct.pack("<4f", 1, 12, 23, 34)


@pytest.fixture(scope="module", name="host")
def shared_host() -> Host:
    return Host()


@pytest.fixture(params=["general", "core"], name="general")
def way(request: pytest.FixtureRequest) -> bool:
    """Whether Wasmtime runs the component as one, or the host its first module."""
    return bool(request.param == "general")


def add(models: dict[str, Ir], name: str = "add") -> NamedGraph:
    return NamedGraph("m", models[name].folder)


def test_a_component_infers(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    script = ComponentScript()
    context = script.context(script.load("m"))
    result = script.compute(context, ("x", script.tensor([1, 4], X)))
    output = script.output(result)
    dims, kind, data = (
        script.call(f"tensor.{each}", output) for each in ("dimensions", "ty", "data")
    )
    ran = script.run(tmp_path, [add(models)], host, general)
    assert ran.code(result) == "ok"
    assert ran.listed(data) == Y
    assert ran.listed(dims, 4) == struct.pack("<2I", 1, 4)
    assert ran.u32(kind) == 1
    assert ran.outcome.succeeded == {
        "load-by-name": 1,
        "init-execution-context": 1,
        "tensor.constructor": 1,
        "compute": 1,
        "tensor.dimensions": 1,
        "tensor.ty": 1,
        "tensor.data": 1,
    }


def test_a_component_loads_bytes(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    script = ComponentScript()
    ir = models["subtract"]
    context = script.context(script.load_bytes(ir.xml, ir.bin) + 4)
    one, two = (struct.pack("<2f", *values) for values in ((5, 7), (1, 2)))
    # In another order than the model's.
    result = script.compute(
        context, ("subtrahend", script.tensor([2], two)), ("minuend", script.tensor([2], one))
    )
    data = script.call("tensor.data", script.output(result))
    assert script.run(tmp_path, (), host, general).listed(data) == struct.pack("<2f", 4, 5)


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "input 0 (x) is not among the inputs"),
        (["y"], "no input named 'y'"),
        (["1"], "no input 1"),
        (["x", "0"], "input 0 (x) is given twice"),
        (["x", "x"], "input 0 (x) is given twice"),
    ],
)
def test_inputs_that_do_not_fit_are_an_error(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool, inputs: list[str], said: str
) -> None:
    script = ComponentScript()
    context = script.context(script.load("m"))
    given = [(name, script.tensor([1, 4], X)) for name in inputs]
    result = script.compute(context, *given)
    code, text = script.failed(result)
    again = script.compute(context, ("0", script.tensor([1, 4], X)))
    data = script.call("tensor.data", script.output(again))
    ran = script.run(tmp_path, [add(models)], host, general)
    assert ran.code(result) == "error"
    assert ran.u32(code) == code_number("invalid-argument")
    assert said in ran.listed(text).decode()
    assert said in ran.messages
    # Its index names an input as well.
    assert ran.listed(data) == Y


@pytest.mark.parametrize(
    ("dims", "kind", "size"),
    [
        ([1, 4], "FP32", 12),
        ([1, 4], "FP32", 20),
        ([1, 4], "FP32", 0),
        ([1, 5], "FP32", 20),
        ([4], "FP32", 16),
        ([1, 4], "I32", 16),
        ([1, 4], "BF16", 8),
        ([1, 0], "FP32", 0),
        ([0xFFFFFFFF] * 3, "FP32", 16),
        ([1] * 100, "FP32", 4),
    ],
)
def test_a_tensor_that_does_not_fit_is_an_error_at_compute(
    tmp_path: Path,
    models: dict[str, Ir],
    host: Host,
    general: bool,
    dims: list[int],
    kind: str,
    size: int,
) -> None:
    script = ComponentScript()
    context = script.context(script.load("m"))
    result = script.compute(context, ("x", script.tensor(dims, bytes(size), kind)))
    code, text = script.failed(result)
    ran = script.run(tmp_path, [add(models)], host, general)
    assert ran.u32(code) == code_number("invalid-argument")
    assert ran.listed(text).startswith(b"input 0 (x)")


def test_each_type_crosses(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    formats = {"FP16": "e", "FP32": "f", "FP64": "d", "U8": "B", "I32": "i", "I64": "q"}
    elements = dict(zip(formats, ("f16", "f32", "f64", "u8", "i32", "i64"), strict=True))
    script = ComponentScript()
    found: dict[str, tuple[Place, Place]] = {}
    for kind, form in formats.items():
        context = script.context(script.load(kind))
        tensor = script.tensor([2], struct.pack(f"<2{form}", 3, 4), kind)
        output = script.output(script.compute(context, ("x", tensor)))
        found[kind] = script.call("tensor.data", output), script.call("tensor.ty", output)
    graphs = [
        NamedGraph(kind, models[f"double-{element}"].folder) for kind, element in elements.items()
    ]
    ran = script.run(tmp_path, graphs, host, general)
    for kind, (data, number) in found.items():
        assert ran.listed(data) == struct.pack(f"<2{formats[kind]}", 6, 8)
        assert ran.u32(number) == TENSOR_TYPE.cases.index(kind)


def test_what_cannot_be_loaded_tells_why(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    ir = models["add"]
    script = ComponentScript()
    asked = {
        "not-found": script.call("load-by-name", script.put(b"nothing"), 7),
        "invalid-argument": script.load_bytes(ir.xml),
        "runtime-error": script.load_bytes(b"<net", ir.bin),
        "invalid-encoding": script.load_bytes(b"gguf", encoding="ggml"),
    }
    no_target = script.load_bytes(ir.xml, ir.bin, target=2)
    failed = {code: script.failed(result) for code, result in asked.items()}
    target = script.failed(no_target)
    ran = script.run(tmp_path, [add(models)], host, general)
    for name, (code, text) in failed.items():
        assert ran.u32(code) == code_number(name)
        assert ran.listed(text)
    assert ran.u32(target[0]) == code_number("invalid-argument")
    assert b"available: 0 cpu" in ran.listed(target[1])


def test_what_a_graph_gave_lives_on_after_it(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    script = ComponentScript()
    ir = models["add"]
    graph = script.load_bytes(ir.xml, ir.bin) + 4
    context = script.context(graph)
    script.call("drop.graph", graph)
    result = script.compute(context, ("x", script.tensor([1, 4], X)))
    script.call("drop.graph-execution-context", context)
    data = script.call("tensor.data", script.output(result))
    script.call("drop.tensor", script.output(result))
    assert script.run(tmp_path, (), host, general).listed(data) == Y


def test_resources_count_until_they_are_dropped(
    tmp_path: Path, models: dict[str, Ir], general: bool
) -> None:
    script = ComponentScript()
    once = ComponentScript(free=script.free)
    once.call("drop.tensor", once.tensor([1, 4], X))
    script.segments, script.free = once.segments, once.free
    script.loop(2000, once)
    with Host(limits=Limits(bytes=1 << 20)) as host:
        ran = script.run(tmp_path, (), host, general)
    assert ran.outcome.succeeded == {"tensor.constructor": 2000}


def test_tensors_beyond_the_limit_end_the_guest(tmp_path: Path, general: bool) -> None:
    script = ComponentScript()
    once = ComponentScript(free=script.free)
    once.tensor([1, 4], X)
    script.segments, script.free = once.segments, once.free
    script.loop(2000, once)
    with Host(limits=Limits(bytes=1 << 20)) as host, pytest.raises(PipelineError) as failed:
        script.run(tmp_path, (), host, general)
    assert failed.value.code is Code.GUEST_FAILED
    assert "limit of 1048576 bytes for models and tensors" in failed.value.found


def test_a_trace_says_what_crossed(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    script = ComponentScript()
    context = script.context(script.load("m"))
    script.compute(context, ("x", script.tensor([1, 4], X)))
    script.compute(context)
    lines = script.run(tmp_path, [add(models)], host, general, trace=True).outcome.messages
    for part in (
        "load-by-name(name 'm') = ok, ",
        "tensor.constructor(dimensions 1x4, ty 'FP32', data 16 bytes) = ok, ",
        "compute(self graph-execution-context 0, inputs ['x' tensor 0]) = ok, ",
        "inputs []) = invalid-argument, ",
    ):
        assert sum(part in line for line in lines) == 1, lines


def test_the_trace_says_which_way_was_taken(tmp_path: Path, host: Host, general: bool) -> None:
    ran = ComponentScript().run(tmp_path, (), host, general, trace=True)
    way = "the component runs as such" if general else "the component's program runs on WASI"
    assert ran.outcome.messages[0].startswith(way)


def test_the_connecting_module_may_name_what_it_imports_from(tmp_path: Path, host: Host) -> None:
    """As current wasm-tools write it; older ones have empty names."""
    text = ComponentScript().text(general=False)
    text, tables = re.subn(r'\(import "" "\$imports"', '(import "shim" "$imports"', text)
    text, functions = re.subn(r'\(import "" "(\d+)"', r'(import "actual" "\1"', text)
    given = r'\(instantiate \$fixups-module \(with "" (.*)\)\)\)$'
    both = r'(instantiate $fixups-module (with "actual" \1) (with "shim" \1)))'
    text, instances = re.subn(given, both, text, flags=re.M)
    assert (tables, functions > 1, instances) == (1, True, 1)
    ran = host.run(write_component(tmp_path, text), trace=True)
    assert ran.messages[0].startswith("the component's program runs on WASI")


def test_tensors_are_recorded(
    tmp_path: Path, models: dict[str, Ir], host: Host, general: bool
) -> None:
    script = ComponentScript()
    script.compute(script.context(script.load("m")), ("x", script.tensor([1, 4], X)))
    ran = script.run(tmp_path, [add(models)], host, general, tensors=1 << 20)
    assert [(each.direction, each.data) for each in ran.outcome.tensors] == [
        ("input", X),
        ("output", Y),
    ]


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_exit_code_is_0_or_1(tmp_path: Path, general: bool, code: int) -> None:
    script = ComponentScript(body=[f"(call $proc_exit (i32.const {code}))"])
    assert script.run(tmp_path, general=general).outcome.exit_code == min(code, 1)
