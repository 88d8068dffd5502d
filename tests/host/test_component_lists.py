"""Lists of a component that are long, and resources that are many."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy
import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.abi.core_functions import CORE_FUNCTIONS
from pipeline.host.host import NamedGraph
from tests.host.component_fuzz import Driven, Fuzzer
from tests.host.component_script import ComponentScript, Place, Ran
from tests.host.conftest import Ir

# Where a guest keeps its long list: beyond what its allocator hands out.
LIST = 16 << 20
MOST = 4 << 20
LONG = MOST + (1 << 20)
# Wasmtime copies 48 bytes for each byte that a component passes, and up to 128 MiB.
PASSED = 5 << 19
NUMBERS = {each.label: number for number, each in enumerate(CORE_FUNCTIONS)}
TABLE, NAME, DIMS, DATA, RESULT = 1024, 1040, 1056, 1072, 1104


@pytest.fixture(params=["general", "core"], name="general")
def way(request: pytest.FixtureRequest) -> bool:
    """Whether Wasmtime runs the component as one, or the host its first module."""
    return bool(request.param == "general")


@pytest.fixture(scope="module", name="fuzzer")
def both_ways(models: dict[str, Ir]) -> Fuzzer:
    return Fuzzer({"m": models["add"].folder})


@pytest.mark.parametrize("count", [3_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_dropped_tensors_leave_nothing(fuzzer: Fuzzer, general: bool, count: int) -> None:
    driven = fuzzer.general() if general else fuzzer.core()
    place(driven)
    graph = made(driven, "load-by-name", NAME, 1)
    context = made(driven, "init-execution-context", graph)
    first = tensor(driven)
    call(driven, "drop.tensor", first)
    for number in range(count // 4):
        # In another order than they came; the input and the output of compute are two more.
        one, two = tensor(driven), tensor(driven)
        infer = number % 100 == 0
        if infer:
            driven.poke(TABLE + 8, two)
            call(driven, "compute", context, TABLE, 1, RESULT)
            assert driven.peek(RESULT) & 0xFF == 0
            two = driven.peek(driven.peek(RESULT + 4) + 8)
        three, four = tensor(driven), tensor(driven)
        for each in (one, four, two, three):
            # The table of handles does not grow.
            assert each - first in range(4)
            call(driven, "drop.tensor", each)
        assert driven.calls.held == 2
    call(driven, "drop.graph", graph)
    call(driven, "drop.graph-execution-context", context)
    assert driven.calls.held == 0
    driven.calls.close()
    driven.store.close()


def place(driven: Driven) -> None:
    """Put a list of one input, named x, the dims 1x4, and a name into its memory."""
    x, m = ord("x"), ord("m")
    for at, value in ((TABLE, NAME + 4), (TABLE + 4, 1), (NAME, m), (NAME + 4, x)):
        driven.poke(at, value)
    for at, value in ((DIMS, 1), (DIMS + 4, 4)):
        driven.poke(at, value)


def call(driven: Driven, label: str, *values: int) -> int:
    most = max(each.parameters for each in CORE_FUNCTIONS)
    return int(driven.call(NUMBERS[label], *values, *[0] * (most - len(values))))


def made(driven: Driven, label: str, *values: int) -> int:
    """Make a call that returns a resource or an error; return the handle of the resource."""
    call(driven, label, *values, RESULT)
    assert driven.peek(RESULT) & 0xFF == 0
    return int(driven.peek(RESULT + 4))


def tensor(driven: Driven) -> int:
    return call(driven, "tensor.constructor", DIMS, 2, 1, DATA, 16)


def counting(size: int) -> tuple[ComponentScript, bytes]:
    """Return a script whose memory counts up in f32 for ``size`` bytes at LIST, and these."""
    script = ComponentScript(
        functions="(global $i (mut i32) (i32.const 0))",
        body=[
            f"(drop (memory.grow (i32.const {(LIST + LONG) >> 16})))",
            "(loop $fill",
            f"(f32.store offset={LIST} (i32.shl (global.get $i) (i32.const 2))",
            "  (f32.convert_i32_u (global.get $i)))",
            "(global.set $i (i32.add (global.get $i) (i32.const 1)))",
            f"(br_if $fill (i32.lt_u (global.get $i) (i32.const {size // 4}))))",
        ],
    )
    return script, numpy.arange(size // 4, dtype="<f4").tobytes()


def given(script: ComponentScript, dims: tuple[int, ...], size: int) -> Place:
    at = script.put(struct.pack(f"<{len(dims)}I", *dims))
    return script.call("tensor.constructor", at, len(dims), 1, LIST, size)


def doubled(folder: Path, model: Ir, size: int, *, general: bool) -> tuple[Ran, Place, Place]:
    """Run a component that doubles ``size`` bytes; return the places of both tensors' data."""
    script, _ = counting(size)
    context = script.context(script.load("m"))
    # Takes the input's data back first, since compute takes the input.
    x = given(script, (size // 8, 2), size)
    back = script.call("tensor.data", x)
    data = script.call("tensor.data", script.output(script.compute(context, ("x", x))))
    return script.run(folder, [NamedGraph("m", model.folder)], general=general), back, data


@pytest.mark.parametrize(("size", "general"), [(LONG, False), (PASSED, True), (PASSED, False)])
def test_long_tensors_cross_with_the_right_values(
    tmp_path: Path, models: dict[str, Ir], size: int, general: bool
) -> None:
    ran, back, data = doubled(tmp_path, models["dynamic"], size, general=general)
    values = numpy.arange(size // 4, dtype="<f4")
    assert ran.listed(back) == values.tobytes()
    assert ran.listed(data) == (2 * values).tobytes()


def test_a_tensor_beyond_what_wasmtime_copies_is_one_clear_error(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    with pytest.raises(PipelineError) as caught:
        doubled(tmp_path, models["dynamic"], LONG, general=True)
    too_long(caught.value)


def test_an_output_beyond_what_wasmtime_copies_is_one_clear_error(
    tmp_path: Path, general: bool
) -> None:
    import openvino
    from openvino import opset13 as op

    x = op.parameter([1], numpy.float32, name="x")
    shape = op.constant(numpy.array([LONG // 4], numpy.int64))
    model = openvino.Model([op.result(op.broadcast(x, shape))], [x], "wide")
    openvino.save_model(model, tmp_path / "wide/model.xml", compress_to_fp16=False)

    script = ComponentScript()
    context = script.context(script.load("wide"))
    result = script.compute(context, ("x", script.tensor([1], struct.pack("<f", 7))))
    data = script.call("tensor.data", script.output(result))
    graphs = [NamedGraph("wide", tmp_path / "wide")]
    if not general:
        ran = script.run(tmp_path, graphs, general=False)
        assert ran.listed(data) == struct.pack("<f", 7) * (LONG // 4)
        return
    with pytest.raises(PipelineError) as caught:
        script.run(tmp_path, graphs, general=True)
    assert caught.value.code is Code.GUEST_FAILED
    assert f"a list of {LONG} bytes" in caught.value.found
    assert f"limit of {MOST} bytes" in caught.value.found


def test_weights_of_any_size_are_loaded_or_refused_in_one_clear_error(
    tmp_path: Path, models: dict[str, Ir], general: bool
) -> None:
    ir = models["add"]
    script, _ = counting(4)
    # The weights, and zeros after them.
    xml, weights = script.put(ir.xml), script.put(ir.bin)
    script.body.append(
        f"(memory.copy (i32.const {LIST}) (i32.const {weights}) (i32.const {len(ir.bin)}))"
    )
    table = script.put(struct.pack("<4I", xml, len(ir.xml), LIST, LONG))
    context = script.context(script.call("load", table, 2, 0, 0) + 4)
    x = script.tensor([1, 4], struct.pack("<4f", 1, 2, 3, 4))
    data = script.call("tensor.data", script.output(script.compute(context, ("x", x))))
    if not general:
        ran = script.run(tmp_path, general=False)
        assert ran.listed(data) == struct.pack("<4f", 1, 12, 23, 34)
        return
    with pytest.raises(PipelineError) as caught:
        script.run(tmp_path, general=True)
    too_long(caught.value)


def too_long(error: PipelineError) -> None:
    assert error.code is Code.GUEST_FAILED
    assert error.message == "The component passes more in one call than Wasmtime copies."
    assert error.expected == "lists of at most 2.6 MiB in a call"
    assert "by name" in error.hint
