"""The guest that makes the calls which a file tells it."""

from __future__ import annotations

from pathlib import Path

from pipeline.host.abi.enums import FUNCTIONS, MODULE
from tests.host.fuzz.calls import COPY, FUNCTION_NAMES, GROW, STORE
from tests.host.fuzz.memory import IMAGE
from tests.host.script import write_guest

_WASI = "wasi_snapshot_preview1"
_PAGES = 4
_SCRATCH = (_PAGES << 16) - 64


def write_interpreter(folder: Path) -> Path:
    """Compile the guest: it reads `script` from its folder over its memory, and does what is there.

    The file is the memory up to IMAGE, then the records.
    """
    imports = "".join(
        f'(import "{MODULE}" "{name}" (func ${name} (param{" i32" * len(each)}) (result i32)))'
        for name, each in FUNCTIONS.items()
    )
    calls = "".join(
        f"(if (i32.eq (local.get $op) (i32.const {number})) (then (drop (call ${name} "
        + " ".join(_value(each) for each in range(len(FUNCTIONS[name])))
        + "))))"
        for number, name in enumerate(FUNCTION_NAMES)
    )
    return write_guest(
        folder,
        f"""(module {imports}
        (import "{_WASI}" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "{_WASI}" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") {_PAGES}) (data (i32.const {_SCRATCH + 32}) "script")
        (func (export "_start") (local $size i32) (local $at i32) (local $op i32)
          (if (call $open (i32.const 3) (i32.const 0) (i32.const {_SCRATCH + 32}) (i32.const 6)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const {_SCRATCH}))
            (then unreachable))
          (loop $more
            (i32.store (i32.const {_SCRATCH + 8}) (local.get $size))
            (i32.store (i32.const {_SCRATCH + 12})
              (i32.sub (i32.const {_SCRATCH}) (local.get $size)))
            (if (call $read (i32.load (i32.const {_SCRATCH})) (i32.const {_SCRATCH + 8})
                  (i32.const 1) (i32.const {_SCRATCH + 16})) (then unreachable))
            (local.set $size (i32.add (local.get $size) (i32.load (i32.const {_SCRATCH + 16}))))
            (br_if $more (i32.load (i32.const {_SCRATCH + 16}))))
          (local.set $at (i32.const {IMAGE}))
          (loop $next
            (local.set $op (i32.load (local.get $at)))
            {calls}
            (if (i32.eq (local.get $op) (i32.const {COPY}))
              (then (memory.copy {_value(0)} {_value(1)} {_value(2)})))
            (if (i32.eq (local.get $op) (i32.const {GROW}))
              (then (drop (memory.grow {_value(0)}))))
            (if (i32.eq (local.get $op) (i32.const {STORE}))
              (then (i32.store {_value(0)} {_value(1)})))
            (local.set $at (i32.add (local.get $at) (i32.const 32)))
            (br_if $next (i32.lt_u (local.get $at) (local.get $size))))))""",
        "interpreter.wasm",
    )


def _value(index: int) -> str:
    return f"(i32.load offset={4 + 4 * index} (local.get $at))"
