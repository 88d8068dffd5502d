"""Guests that try what no compiler makes: each gets the right errno, or ends in one short error."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.host.abi.enums import MODULE
from pipeline.host.host import Host, NamedGraph
from tests.host.conftest import Ir
from tests.host.script import END, FILL, Script, write_guest

MEMORY = '(memory (export "memory") 1)'
START = '(func (export "_start"))'
COMPUTE = f'(import "{MODULE}" "compute" (func $compute (param i32) (result i32)))'
REFUSED = "(if (i32.ne (call $compute (i32.const 0)) (i32.const 1)) (then unreachable))"
LONG = "x" * 90_000


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f'(memory (export "memory") i64 1) {START}', Code.GUEST_BUILD, "memory64"),
        (
            f'(memory (export "memory") 1 1 shared) {START}',
            Code.GUEST_FAILED,
            "Cannot start the guest",
        ),
        (f'(func (export "memory")) {START}', Code.GUEST_BUILD, "a memory named memory"),
        (f"{MEMORY} (memory 1) {START}", Code.MEMORY_LIMIT, "limit of memories"),
        (f'{MEMORY} (data (i32.const 65536) "x") {START}', Code.GUEST_FAILED, "out of bounds"),
        (
            f"{MEMORY} (func $s (loop (br 0))) (start $s) {START}",
            Code.TIME_LIMIT,
            "exceeded its time limit",
        ),
        (f"{MEMORY} (func $s (call $s)) (start $s) {START}", Code.GUEST_FAILED, "stack exhausted"),
        (
            f'{MEMORY} (func $s (return_call $s)) (func (export "_start") (call $s))',
            Code.TIME_LIMIT,
            "exceeded its time limit",
        ),
        (
            f"{COMPUTE} {MEMORY} (func $s (drop (call $compute (i32.const 0))) (call $s))"
            '(func (export "_start") (call $s))',
            Code.GUEST_FAILED,
            "stack exhausted",
        ),
        (
            f'(import "{MODULE}" "compute" (global i32)) {MEMORY} {START}',
            Code.GUEST_IMPORTS,
            "wrong signature",
        ),
        (
            "".join(f'(import "m" "f{n}" (func))' for n in range(20_000)) + f"{MEMORY} {START}",
            Code.GUEST_IMPORTS,
            "m.f19 and 19980 more",
        ),
        (f'(import "m" "{LONG}" (func)) {MEMORY} {START}', Code.GUEST_IMPORTS, "m.xxx"),
        (f'(func (export "{LONG}")) {START}', Code.GUEST_BUILD, "a memory named memory"),
        (
            f'(import "m\\1b[31m" "a\\0ab" (func)) {MEMORY} {START}',
            Code.GUEST_IMPORTS,
            "m\\x1b[31m.a\\nb",
        ),
        (
            f"(type $a (array (mut i8))) (type $n (struct (field (ref null $n)) (field (ref $a))))"
            f'{MEMORY} (func (export "_start") (local $l (ref null $n)) (loop (local.set $l'
            "(struct.new $n (local.get $l) (array.new $a (i32.const 1) (i32.const 1000000))))"
            "(br 0)))",
            Code.GUEST_FAILED,
            "GC heap out of memory",
        ),
    ],
)
def test_a_module_that_cannot_run_is_one_short_error(
    tmp_path: Path, text: str, code: Code, said: str
) -> None:
    wasm = write_guest(tmp_path, f"(module {text})")
    with Host() as host, pytest.raises(PipelineError) as caught:
        host.run(wasm, seconds=3, memory=1 << 26)
    told = caught.value.render()
    assert caught.value.code is code
    assert said in told
    assert len(told) < 4000
    assert "\x1b" not in told


def test_a_start_function_may_call_the_host_before_the_guest_begins(tmp_path: Path) -> None:
    text = f'{COMPUTE} {MEMORY} (func $s {REFUSED}) (start $s) (func (export "_start") (call $s))'
    with Host() as host:
        outcome = host.run(write_guest(tmp_path, f"(module {text})"))
    assert len(outcome.messages) == 2


def test_a_memory_of_no_pages_has_no_place(tmp_path: Path) -> None:
    load = f'(import "{MODULE}" "load_by_name" (func $load (param i32 i32 i32) (result i32)))'
    body = (
        "(if (i32.ne (call $load (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 1))"
        "(then unreachable))"
    )
    text = f'(module {load} (memory (export "memory") 0) (func (export "_start") {body}))'
    with Host() as host:
        assert "outside" in host.run(write_guest(tmp_path, text)).messages[0]


def test_places_that_overlap_are_written_in_order_and_nothing_else_is(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    script = Script()
    name, graph, context = script.put(b"add"), script.room(), script.room()
    script.call("load_by_name", name, 3, graph)
    # Its own name is where the context's handle goes.
    script.call("init_execution_context", 0, name)
    script.call("init_execution_context", 0, context)
    # The record, its dims and its data share their bytes: dims 1x4 are the first of the data.
    shared = script.put(struct.pack("<2I2f", 1, 4, 3, 4))
    at = script.record(shared, 2, 1, shared, 16)
    script.call("set_input", 0, 0, at)
    script.call("compute", 0)
    buffer = script.room(48)
    # The count goes into the midst of the output, and over its end.
    script.call("get_output", 0, 0, buffer, 16, buffer + 4)
    script.call("get_output", 0, 0, buffer + 24, 16, buffer + 38)
    script.call("get_output", 0, 0, END - 16, 16, END - 4)
    ran = script.run(tmp_path, graphs=[NamedGraph("add", models["add"].folder)])
    assert ran.errnos == [0] * 8
    count = struct.pack("<I", 16)
    given = struct.unpack("<4f", ran.bytes_at(shared, 16))
    output = struct.pack("<4f", *(n + 10 * i for i, n in enumerate(given)))
    fill = bytes([FILL])
    assert ran.bytes_at(buffer, 24) == output[:4] + count + output[8:] + fill * 8
    assert ran.bytes_at(buffer + 24, 24) == output[:14] + count + fill * 6
    assert ran.bytes_at(END - 16, 16) == output[:12] + count


def test_names_and_lengths_at_the_ends_of_what_numbers_can_say(
    tmp_path: Path, models: dict[str, Ir]
) -> None:
    most = 0xFFFFFFFF
    script = Script()
    script.call("load_by_name", most, most, most)
    script.call("load_by_name", 0, most, 0)
    script.call("load_by_name", script.put(b"add\0add"), 7, script.room())
    script.call("load", most, most, most, most, most)
    script.call("load", 0, most, 0, 0, script.room())
    script.call("set_input", most, most, most)
    script.call("get_output", most, most, most, most, most)
    script.call("load_by_name_with_config", script.put(b"add"), 3, 0, most, script.room())
    script.call("unload", most)
    script.call("finalize_execution_context", most)
    ran = script.run(tmp_path, graphs=[NamedGraph("add", models["add"].folder)])
    assert ran.errnos == [1, 1, 8, 1, 1, 1, 1, 1, 1, 1]
