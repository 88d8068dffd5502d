"""What the embedded host does with inputs and outputs, beyond the conformance cases."""

from __future__ import annotations

from pathlib import Path

import numpy

from pipeline.host.host import Host
from tests.host.conftest import TYPES, Ir
from tests.host.script import Ran, Script, write_guest

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


def test_another_type_than_the_models_names_both(models: Models, tmp_path: Path) -> None:
    script = started(models)
    script.call("set_input", 0, 0, script.tensor(4, [1, 4], ONES))
    ran = script.run(tmp_path)
    assert ran.errnos[2] == 1
    assert "f32" in ran.messages
    assert "i32" in ran.messages


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
        messages = host.run(wasm, stdout=tmp_path / "memory", trace=True).messages[2:]
    assert [line.partition("(")[0] for line in messages] == ["set_input", "compute", "get_output"]
    assert messages[0].endswith(": x, 1x4 f32")
    assert messages[1].endswith(" ms")
    assert messages[2].endswith("f32, 16 bytes")
