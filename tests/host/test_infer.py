"""Conformance: contexts, inputs, compute and outputs."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from pipeline.host.host import Host
from tests.host.conftest import TYPES, Ir
from tests.host.script import END, FILL, Ran, Script, write_guest

Models = dict[str, Ir]
ONES = numpy.ones(4, numpy.float32).tobytes()
DTYPES = {"f16": "<f2", "f32": "<f4", "f64": "<f8", "u8": "u1", "i32": "<i4", "i64": "<i8"}


def started(models: Models, name: str = "add") -> Script:
    script = Script()
    script.ready(models[name].xml, models[name].bin)
    return script


def floats(ran: Ran, at: int, count: int) -> list[float]:
    values: list[float] = numpy.frombuffer(ran.bytes_at(at, 4 * count), "<f4").tolist()
    return values


def untouched(ran: Ran, at: int, size: int) -> bool:
    return ran.bytes_at(at, size) == bytes([FILL]) * size


@pytest.mark.parametrize("graph", [1, 7, -1])
def test_a_context_of_a_bad_graph(models: Models, tmp_path: Path, graph: int) -> None:
    script = started(models)
    out = script.room()
    script.call("init_execution_context", graph, out)
    script.call("init_execution_context", 0, END - 2)
    next_out = script.room()
    script.call("init_execution_context", 0, next_out)
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [1, 1, 0]
    assert untouched(ran, out, 4)
    assert ran.u32(next_out) == 1


def test_contexts_are_isolated(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("init_execution_context", 0, script.room())
    buffers = [script.room(16), script.room(16)]
    for context, value in ((0, 1), (1, 5)):
        data = numpy.full(4, value, numpy.float32).tobytes()
        script.call("set_input", context, 0, script.tensor(1, [1, 4], data))
    for context, buffer in enumerate(buffers):
        script.call("compute", context)
        script.call("get_output", context, 0, buffer, 16, script.room())
    ran = script.run(tmp_path)
    assert set(ran.errnos) == {0}
    assert floats(ran, buffers[0], 4) == [1, 11, 21, 31]
    assert floats(ran, buffers[1], 4) == [5, 15, 25, 35]


def test_set_input_refuses_what_is_out_of_bounds(models: Models, tmp_path: Path) -> None:
    script = started(models)
    good = script.tensor(1, [1, 4], ONES)
    dims, data = script.put(b"\1\0\0\0\4\0\0\0"), script.put(ONES)
    script.call("set_input", 9, 0, good)
    script.call("set_input", 0, 0, END - 19)
    script.call("set_input", 0, 0, -20)
    script.call("set_input", 0, 0, script.record(END - 7, 2, 1, data, 16))
    script.call("set_input", 0, 0, script.record(dims, 1_000_000_000, 1, data, 16))
    script.call("set_input", 0, 0, script.record(dims, 2, 1, END - 15, 16))
    script.call("set_input", 0, 0, script.record(dims, 2, 1, 0xFFFFFFF8, 16))
    script.call("set_input", 0, 1, good)
    script.call("set_input", 0, -1, good)
    script.call("compute", 0)
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [1] * 10
    assert "input 0 (x) was never set" in ran.messages


@pytest.mark.parametrize("kind", [6, 9, 255])
def test_a_type_without_a_meaning(models: Models, tmp_path: Path, kind: int) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(kind, [1, 4], ONES))
    assert script.run(tmp_path).errnos[2] == 1


def test_another_type_than_the_models_names_both(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(4, [1, 4], ONES))
    ran = script.run(tmp_path)
    assert ran.errnos[2] == 1
    assert "f32" in ran.messages
    assert "i32" in ran.messages


def test_the_padding_of_a_tensor_may_hold_anything(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], ONES, padding=b"\xff\xfe\xfd"))
    assert script.run(tmp_path).errnos[2] == 0


@pytest.mark.parametrize(
    ("dims", "size"),
    [
        ([1, 4], 15),
        ([1, 4], 0),
        ([1, 4], 20),
        ([1, 5], 20),
        ([4], 16),
        ([1, 1, 4], 16),
        ([], 4),
        ([1, 0], 0),
        ([0x10000, 0x10000], 0),
        ([0xFFFFFFFF, 0xFFFFFFFF], 4),
    ],
)
def test_dims_and_length_must_fit(
    models: Models, tmp_path: Path, dims: list[int], size: int
) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(1, dims, bytes(size)))
    script.call("compute", 0)
    assert script.run(tmp_path).errnos[2:] == [1, 1]


def test_dynamic_shapes(models: Models, tmp_path: Path) -> None:
    script = started(models, "dynamic")
    places = []
    for rows in (1, 3, 2):
        data = numpy.arange(2 * rows, dtype=numpy.float32).tobytes()
        script.call("set_input", 0, 0, script.tensor(1, [rows, 2], data))
        script.call("compute", 0)
        buffer, written = script.room(32), script.room()
        script.call("get_output", 0, 0, buffer, 32, written)
        places.append((rows, buffer, written))
    script.call("set_input", 0, 0, script.tensor(1, [0, 2], b""))
    script.call("set_input", 0, 0, script.tensor(1, [2, 3], bytes(24)))
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [0] * 10 + [1]
    for rows, buffer, written in places:
        assert ran.u32(written) == 8 * rows
        assert floats(ran, buffer, 2 * rows) == [2 * each for each in range(2 * rows)]


def test_a_scalar_has_no_dims(models: Models, tmp_path: Path) -> None:
    script = started(models, "scalar")
    buffer = script.room(4)
    script.call("set_input", 0, 0, script.tensor(1, [], numpy.float32(3).tobytes()))
    script.call("compute", 0)
    script.call("get_output", 0, 0, buffer, 4, script.room())
    ran = script.run(tmp_path)
    assert set(ran.errnos) == {0}
    assert floats(ran, buffer, 1) == [3]


def test_an_input_is_copied_when_it_is_set(models: Models, tmp_path: Path) -> None:
    script = started(models)
    data = script.put(ONES)
    dims = script.put(b"\1\0\0\0\4\0\0\0")
    script.call("set_input", 0, 0, script.record(dims, 2, 1, data, 16))
    script.poke(data + 3, 0x7F)
    script.poke(dims, 9)
    script.call("compute", 0)
    buffer = script.room(16)
    script.call("get_output", 0, 0, buffer, 16, script.room())
    ran = script.run(tmp_path)
    assert floats(ran, buffer, 4) == [1, 11, 21, 31]


def test_the_last_set_input_wins_and_ends_the_old_outputs(models: Models, tmp_path: Path) -> None:
    script = started(models)
    one, two = (
        script.tensor(1, [1, 4], numpy.full(4, value, numpy.float32).tobytes()) for value in (1, 2)
    )
    before, stale, after = script.room(16), script.room(16), script.room(16)
    script.call("get_output", 0, 0, before, 16, script.room())
    script.call("set_input", 0, 0, one)
    script.call("set_input", 0, 0, two)
    script.call("compute", 0)
    script.call("set_input", 0, 0, one)
    script.call("set_input", 0, 0, two)
    script.call("get_output", 0, 0, stale, 16, script.room())
    script.call("compute", 0)
    script.call("get_output", 0, 0, after, 16, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [5, 0, 0, 0, 0, 0, 5, 0, 0]
    assert untouched(ran, before, 16)
    assert untouched(ran, stale, 16)
    assert floats(ran, after, 4) == [2, 12, 22, 32]


def test_two_inputs_are_both_kept(models: Models, tmp_path: Path) -> None:
    script = started(models, "subtract")
    script.call("set_input", 0, 1, script.tensor(1, [2], numpy.array([1, 2], "<f4").tobytes()))
    script.call("compute", 0)
    script.call("set_input", 0, 0, script.tensor(1, [2], numpy.array([10, 20], "<f4").tobytes()))
    script.call("compute", 0)
    buffer = script.room(8)
    script.call("get_output", 0, 0, buffer, 8, script.room())
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [0, 1, 0, 0, 0]
    assert "input 0 (minuend) was never set" in ran.messages
    assert floats(ran, buffer, 2) == [9, 18]


def test_get_output_refuses_before_work(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("compute", 5)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], ONES))
    script.call("compute", 0)
    buffer, written = script.room(16), script.room()
    script.call("get_output", 3, 0, buffer, 16, written)
    script.call("get_output", 0, 1, buffer, 16, written)
    script.call("get_output", 0, -1, buffer, 16, written)
    script.call("get_output", 0, 0, END - 15, 16, written)
    script.call("get_output", 0, 0, buffer, -1, written)
    script.call("get_output", 0, 0, buffer, 16, END - 3)
    script.call("get_output", 0, 0, buffer, 16, -4)
    ran = script.run(tmp_path)
    assert ran.errnos[2:] == [1, 0, 0] + [1] * 7
    assert untouched(ran, buffer, 16)
    assert untouched(ran, written, 4)


def test_the_size_of_the_buffer(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], ONES))
    script.call("compute", 0)
    small, exact, large = script.room(16), script.room(16), script.room(24)
    counts = [script.room() for _ in range(4)]
    script.call("get_output", 0, 0, small, 15, counts[0])
    script.call("get_output", 0, 0, small, 0, counts[1])
    script.call("get_output", 0, 0, exact, 16, counts[2])
    script.call("get_output", 0, 0, large, 24, counts[3])
    ran = script.run(tmp_path)
    assert ran.errnos[4:] == [7, 7, 0, 0]
    assert [ran.u32(at) for at in counts] == [16] * 4
    assert untouched(ran, small, 16)
    assert ran.bytes_at(exact, 16) == ran.bytes_at(large, 16)
    assert untouched(ran, large + 16, 8)


def test_each_output_has_its_own_type(models: Models, tmp_path: Path) -> None:
    script = started(models, "types")
    script.call("set_input", 0, 0, script.tensor(1, [2], numpy.array([3, 250], "<f4").tobytes()))
    script.call("compute", 0)
    places = [(script.room(16), script.room()) for _ in TYPES]
    for index, (buffer, written) in enumerate(places):
        script.call("get_output", 0, index, buffer, 16, written)
    ran = script.run(tmp_path)
    assert set(ran.errnos) == {0}
    for name, (buffer, written) in zip(TYPES, places, strict=True):
        size = 2 * numpy.dtype(DTYPES[name]).itemsize
        assert ran.u32(written) == size
        assert numpy.frombuffer(ran.bytes_at(buffer, size), DTYPES[name]).tolist() == [3, 250]


@pytest.mark.parametrize("name", TYPES)
def test_each_input_type(models: Models, tmp_path: Path, name: str) -> None:
    script = started(models, f"double-{name}")
    dtype = numpy.dtype(DTYPES[name])
    data = numpy.array([3, 100], dtype).tobytes()
    buffer = script.room(16)
    script.call("set_input", 0, 0, script.tensor(TYPES.index(name), [2], data))
    script.call("compute", 0)
    script.call("get_output", 0, 0, buffer, 2 * dtype.itemsize, script.room())
    ran = script.run(tmp_path)
    assert set(ran.errnos) == {0}, ran.messages
    assert numpy.frombuffer(ran.bytes_at(buffer, 2 * dtype.itemsize), dtype).tolist() == [6, 200]


def test_the_older_numbers_of_the_types(models: Models, tmp_path: Path) -> None:
    script = started(models, "double-i32")
    script.call("set_input", 0, 0, script.tensor(3, [2], bytes(8)))
    script.call("set_input", 0, 0, script.tensor(4, [2], bytes(8)))
    new, old = script.run(tmp_path), script.run(tmp_path, tensor_type_abi=2022)
    assert new.errnos[2:] == [1, 0]
    assert "`tensor_type_abi` 2022" in new.messages
    assert old.errnos[2:] == [0, 1]
    assert "`tensor_type_abi` 2023" in old.messages


def test_a_trace_shows_each_call(models: Models, tmp_path: Path) -> None:
    from pipeline.host.host import Host
    from tests.host.script import write_guest

    script = started(models)
    wasm = write_guest(tmp_path, script.wat())
    with Host() as host:
        outcome = host.run(wasm, stdout=tmp_path / "out", trace=True)
    assert [line.partition("(")[0] for line in outcome.messages] == [
        "load",
        "init_execution_context",
    ]


def test_a_traced_call_tells_its_tensor(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(1, [1, 4], ONES))
    script.call("compute", 0)
    script.call("get_output", 0, 0, script.room(16), 16, script.room())
    wasm = write_guest(tmp_path, script.wat())
    with Host() as host:
        told = host.run(wasm, stdout=tmp_path / "memory", trace=True).messages[2:]
    assert [line.partition("(")[0] for line in told] == ["set_input", "compute", "get_output"]
    assert told[0].endswith(": x, 1x4 f32")
    assert told[1].endswith(" ms")
    assert told[2].endswith("f32, 16 bytes")
