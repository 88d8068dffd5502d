"""Reads and writes of more than wasmtime moves in one call."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.host.host import Host, Preopen
from pipeline.host.sandbox import large_io
from pipeline.host.sandbox.large_io import MOST
from tests.host.script import write_guest

WASI = "wasi_snapshot_preview1"
SIZE = 200 << 20
PLAIN, AT = "i32 i32 i32 i32", "i32 i32 i32 i64 i32"
PARAMETERS = {"fd_read": PLAIN, "fd_write": PLAIN, "fd_pread": AT, "fd_pwrite": AT}
# Where the guest keeps things: its file, two buffers' descriptions, the count.
FD, BUFFERS, COUNT, DATA = 8, 16, 40, 65536
RIGHTS = 2 | 4 | 64


def guest(folder: Path, function: str, body: str, memory: int = 3300) -> Path:
    """A guest that opens the file big and runs the body."""
    return write_guest(
        folder,
        f"""(module
        (import "{WASI}" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "{WASI}" "{function}" (func $move (param {PARAMETERS[function]}) (result i32)))
        (import "{WASI}" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") {memory}) (data (i32.const 64) "big")
        (func $must (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
        (func (export "_start") (local $moved i32)
          (call $must (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 3)
            (i32.const 0) (i64.const {RIGHTS}) (i64.const 0) (i32.const 0) (i32.const {FD})))
          {body}))""",
    )


def moved(buffers: int = BUFFERS, number: int = 1, count: int = COUNT, at: str = "") -> str:
    return (
        f"(call $move (i32.load (i32.const {FD})) (i32.const {buffers}) (i32.const {number}) "
        f"{at} (i32.const {count}))"
    )


def buffer(start: int, size: int, at: int = BUFFERS) -> str:
    return (
        f"(i32.store (i32.const {at}) (i32.const {start}))"
        f"(i32.store (i32.const {at + 4}) (i32.const {size}))"
    )


@pytest.fixture
def big(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "big").open("wb") as stream:
        stream.truncate(SIZE)
        for place in (0, MOST - 1, MOST, SIZE - 1):
            stream.seek(place)
            stream.write(b"\x07")
    return folder


def run(wasm: Path, folder: Path) -> int:
    with Host() as host:
        dirs = [Preopen(host=folder, guest="in", writable=True)]
        return host.run(wasm, dirs=dirs, seconds=120).exit_code


def test_a_file_of_200_mib_is_read_by_a_guest_that_asks_for_all_at_once(
    tmp_path: Path, big: Path
) -> None:
    # It asks for all that is left until nothing is, as read_to_end and fread do.
    checks = "".join(
        f"(if (i32.ne (i32.load8_u (i32.const {DATA + place})) (i32.const {value})) "
        f"(then (call $exit (i32.const {90 + value}))))"
        for place, value in ((0, 7), (1, 0), (MOST - 1, 7), (MOST, 7), (SIZE - 1, 7), (SIZE, 0))
    )
    body = f"""
      (loop $more
        (i32.store (i32.const {BUFFERS}) (i32.add (i32.const {DATA}) (local.get $moved)))
        (i32.store (i32.const {BUFFERS + 4}) (i32.sub (i32.const {SIZE + 9}) (local.get $moved)))
        (call $must {moved()})
        (local.set $moved (i32.add (local.get $moved) (i32.load (i32.const {COUNT}))))
        (br_if $more (i32.load (i32.const {COUNT}))))
      {checks}
      (call $exit (i32.shr_u (local.get $moved) (i32.const 20)))"""
    assert run(guest(tmp_path, "fd_read", body), big) == SIZE >> 20


@pytest.mark.parametrize("function", ["fd_read", "fd_write", "fd_pwrite"])
@pytest.mark.parametrize("size", [1 << 20, MOST, MOST + 1, 128 << 20, SIZE])
def test_a_call_moves_what_it_can(tmp_path: Path, big: Path, function: str, size: int) -> None:
    at = "(i64.const 0)" if function == "fd_pwrite" else ""
    body = f"""{buffer(DATA, size)} (call $must {moved(at=at)})
      (if (i32.ne (i32.load (i32.const {BUFFERS + 4})) (i32.const {size}))
        (then (call $exit (i32.const 99))))
      (if (i32.ne (i32.load (i32.const {BUFFERS})) (i32.const {DATA}))
        (then (call $exit (i32.const 98))))
      (call $exit (i32.shr_u (i32.load (i32.const {COUNT})) (i32.const 10)))"""
    assert run(guest(tmp_path, function, body), big) == min(size, MOST) >> 10


def test_a_read_at_a_place_takes_a_buffer_of_any_size(tmp_path: Path, big: Path) -> None:
    body = f"""{buffer(DATA, SIZE)} (call $must {moved(at="(i64.const 0)")})
      (call $exit (i32.and (i32.eq (i32.load8_u (i32.const {DATA})) (i32.const 7))
        (i32.gt_u (i32.load (i32.const {COUNT})) (i32.const 0))))"""
    assert run(guest(tmp_path, "fd_pread", body), big) == 1


def test_empty_buffers_before_a_long_one_are_passed_over(tmp_path: Path, big: Path) -> None:
    body = f"""{buffer(0, 0)} {buffer(DATA, SIZE, BUFFERS + 8)} (call $must {moved(number=2)})
      (call $exit (i32.shr_u (i32.load (i32.const {COUNT})) (i32.const 20)))"""
    assert run(guest(tmp_path, "fd_read", body), big) == MOST >> 20


@pytest.mark.parametrize(
    "prepare",
    [
        buffer(DATA, 0xFFFFFFF0 - (1 << 32)),  # past the end of the memory
        buffer(-16, SIZE),
        buffer(0, SIZE),  # over its own description
    ],
)
def test_a_buffer_that_cannot_be_is_refused_as_wasmtime_does(
    tmp_path: Path, big: Path, prepare: str
) -> None:
    body = f"{prepare} (call $exit (i32.ne {moved()} (i32.const 0)))"
    assert run(guest(tmp_path, "fd_read", body), big) == 1


@pytest.mark.parametrize(("buffers", "number"), [(-8, 1), (-4, 9), (16, -1), (3300 << 16, 1)])
def test_descriptions_out_of_bounds_end_as_they_do_without_the_gate(
    tmp_path: Path, big: Path, monkeypatch: pytest.MonkeyPatch, buffers: int, number: int
) -> None:
    body = f"(call $exit {moved(buffers, number)})"
    wasm = guest(tmp_path, "fd_read", body)

    def ended() -> str:
        try:
            return str(run(wasm, big))
        except PipelineError as error:
            return f"{error.code} {error.found}"

    with_the_gate = ended()
    monkeypatch.setattr(large_io, "_FUNCTIONS", {})
    assert with_the_gate == ended() != "0"


@pytest.mark.parametrize("count", [BUFFERS + 4, BUFFERS + 8, BUFFERS])
def test_a_count_that_goes_over_the_description(tmp_path: Path, big: Path, count: int) -> None:
    body = f"""{buffer(DATA, SIZE)} (call $must {moved(count=count)})
      (call $exit (i32.shr_u (i32.load (i32.const {count})) (i32.const 20)))"""
    assert run(guest(tmp_path, "fd_read", body), big) == MOST >> 20


def test_a_module_may_read_in_its_start_function(tmp_path: Path) -> None:
    wasm = write_guest(
        tmp_path,
        f"""(module (import "{WASI}" "fd_read" (func $read (param {PLAIN}) (result i32)))
        (import "{WASI}" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1) (global $got (mut i32) (i32.const 1))
        (func $early (global.set $got
          (call $read (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
        (start $early)
        (func (export "_start") (call $exit (global.get $got))))""",
    )
    assert run(wasm, tmp_path) == 0
