"""Large I/O trampoline: turns reads and writes of 128 MiB and more into partial ones.

Wasmtime fails with an errno for a buffer of 128 MiB or more, but guests read a file of weights in
one call. So WebAssembly code is placed in between: the functions that a guest imports jump through
a table (the gate) to a second module (the porter), which lends the guest's memory to wasmtime's
functions and temporarily shortens a buffer that is too long. POSIX allows partial reads and writes.
No Python runs in these calls. The porter also notes whether a write to a folder was refused, since
a guest gets no more than "operation not permitted".
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pipeline.host.sandbox.wasi import MODULE

if TYPE_CHECKING:
    import wasmtime

# Maximum bytes per call, slightly below wasmtime's limit.
MOST = 127 << 20
# Instances and tables of the gate and the porter.
INSTANCES, TABLES = 2, 1

_PLAIN, _AT = "i32 i32 i32 i32", "i32 i32 i32 i64 i32"
# The second and third parameter are the buffers, the last is the address of the count.
_MOVING = {"fd_read": _PLAIN, "fd_write": _PLAIN, "fd_pread": _AT, "fd_pwrite": _AT}
# Those that write to a folder; path_open does by its flags (4) or rights (5).
_WRITING = {
    "path_create_directory": "i32 i32 i32",
    "path_filestat_set_times": "i32 i32 i32 i32 i64 i64 i32",
    "path_link": "i32 i32 i32 i32 i32 i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "path_remove_directory": "i32 i32 i32",
    "path_rename": "i32 i32 i32 i32 i32 i32",
    "path_symlink": "i32 i32 i32 i32 i32",
    "path_unlink_file": "i32 i32 i32",
}
_FUNCTIONS = _MOVING | _WRITING
_OPENS_TO_WRITE = (
    "(i32.or (i32.and (local.get 4) (i32.const 9))"
    " (i64.ne (i64.and (local.get 5) (i64.const 64)) (i64.const 0)))"
)
# WASI's errnos acces, perm, rofs and notcapable.
_REFUSALS = (2, 63, 69, 76)

_LONG = f"""\
  ;; Returns the address of the first buffer's length if that is too long, else 0.
  (func $long (param $buffers i32) (param $count i32) (result i32)
    (local $size i64) (local $start i64)
    (local.set $size (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
    ;; The WASI function reports out-of-bounds buffers.
    (if (i64.gt_u (i64.add (i64.extend_i32_u (local.get $buffers))
                    (i64.shl (i64.extend_i32_u (local.get $count)) (i64.const 3)))
          (local.get $size)) (then (return (i32.const 0))))
    (block $found (loop $next
      (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
      (br_if $found (i32.load offset=4 (local.get $buffers)))
      (local.set $buffers (i32.add (local.get $buffers) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next)))
    (if (i32.le_u (i32.load offset=4 (local.get $buffers)) (i32.const {MOST}))
      (then (return (i32.const 0))))
    (local.set $start (i64.extend_i32_u (i32.load (local.get $buffers))))
    (if (i64.gt_u
          (i64.add (local.get $start) (i64.extend_i32_u (i32.load offset=4 (local.get $buffers))))
          (local.get $size)) (then (return (i32.const 0))))
    ;; A buffer that overlaps its own descriptor would change it.
    (if (i32.and
          (i64.lt_u (local.get $start)
            (i64.add (i64.extend_i32_u (local.get $buffers)) (i64.const 8)))
          (i64.lt_u (i64.extend_i32_u (local.get $buffers))
            (i64.add (local.get $start) (i64.const {MOST}))))
      (then (return (i32.const 0))))
    (i32.add (local.get $buffers) (i32.const 4)))
"""


def wrap(linker: wasmtime.Linker, store: wasmtime.Store, module: wasmtime.Module) -> LargeIo:
    """Insert the gate before the WASI functions that a guest imports."""
    wanted = {each.name for each in module.imports if each.module == MODULE}
    return LargeIo(linker, store, tuple(name for name in _FUNCTIONS if name in wanted))


class LargeIo:
    """The gate of one guest, to be opened when the guest has its memory, before it runs."""

    def __init__(
        self, linker: wasmtime.Linker, store: wasmtime.Store, names: tuple[str, ...]
    ) -> None:
        import wasmtime

        self._names = names
        self._refused: wasmtime.Global | None = None
        if not names:
            return
        self._store = store
        self._engine = linker.engine
        self._functions = [linker.get(store, MODULE, name) for name in names]
        trampoline = wasmtime.Module(self._engine, _trampoline(names))
        exports = wasmtime.Instance(store, trampoline, []).exports(store)
        self._table = exports["table"]
        for name in names:
            linker.define(store, MODULE, name, exports[name])

    def open(self, memory: wasmtime.Memory) -> None:
        """Make the porter serve the guest with this memory."""
        if self._names:
            import wasmtime

            shortener = wasmtime.Module(self._engine, _shortener(self._names))
            porter = wasmtime.Instance(
                self._store, shortener, [memory, self._table, *self._functions]
            )
            refused = porter.exports(self._store)["refused"]
            assert isinstance(refused, wasmtime.Global)
            self._refused = refused

    def refused_write(self) -> bool:
        """Return whether the guest tried to write to a folder and was refused."""
        return self._refused is not None and bool(self._refused.value(self._store))


@cache
def _trampoline(names: tuple[str, ...]) -> bytes:
    import wasmtime

    functions = "".join(
        f'(func (export "{name}") (param {_FUNCTIONS[name]}) (result i32)'
        f"(if (ref.is_null (table.get (i32.const {place}))) (then (return (i32.const 52))))"
        f"{_arguments(name)}"
        f"(call_indirect (param {_FUNCTIONS[name]}) (result i32) (i32.const {place})))"
        for place, name in enumerate(names)
    )
    table = f'(table (export "table") {len(names)} {len(names)} funcref)'
    return bytes(wasmtime.wat2wasm(f"(module {table} {functions})"))


@cache
def _shortener(names: tuple[str, ...]) -> bytes:
    import wasmtime

    imports = "".join(
        f'(import "{MODULE}" "{name}" (func ${name} (param {_FUNCTIONS[name]}) (result i32)))'
        for name in names
    )
    functions = "".join(_shortening(name) if name in _MOVING else _noting(name) for name in names)
    elements = " ".join(f"$short_{name}" for name in names)
    return bytes(
        wasmtime.wat2wasm(
            '(module (import "guest" "memory" (memory 0))'
            f'(import "gate" "table" (table {len(names)} {len(names)} funcref)) {imports}'
            '(global $refused (export "refused") (mut i32) (i32.const 0))'
            f'(export "memory" (memory 0)) (elem (i32.const 0) {elements}) {_LONG} {functions})'
        )
    )


def _shortening(name: str) -> str:
    last = len(_FUNCTIONS[name].split()) - 1
    call = f"(call ${name} {_arguments(name)})"
    return f"""\
  (func $short_{name} (param {_FUNCTIONS[name]}) (result i32)
    (local $at i32) (local $length i32) (local $errno i32)
    (local.set $at (call $long (local.get 1) (local.get 2)))
    (if (i32.eqz (local.get $at)) (then (return {call})))
    (local.set $length (i32.load (local.get $at)))
    (i32.store (local.get $at) (i32.const {MOST}))
    (local.set $errno {call})
    ;; If the count was written over the length, the length is lost, as without the porter.
    (if (i32.gt_u (i32.add (i32.sub (local.get {last}) (local.get $at)) (i32.const 3))
          (i32.const 6))
      (then (i32.store (local.get $at) (local.get $length))))
    (local.get $errno))
"""


def _noting(name: str) -> str:
    refused = "(i32.const 0)"
    for each in _REFUSALS:
        refused = f"(i32.or {refused} (i32.eq (local.get $errno) (i32.const {each})))"
    writes = _OPENS_TO_WRITE if name == "path_open" else "(i32.const 1)"
    return f"""\
  (func $short_{name} (param {_FUNCTIONS[name]}) (result i32)
    (local $errno i32)
    (local.set $errno (call ${name} {_arguments(name)}))
    (if {writes} (then
      (if {refused} (then (global.set $refused (i32.const 1))))))
    (local.get $errno))
"""


def _arguments(name: str) -> str:
    return " ".join(f"(local.get {each})" for each in range(len(_FUNCTIONS[name].split())))
