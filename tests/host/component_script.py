"""A component made of calls: it makes them in order and prints its memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wasmtime

from pipeline.conformance.component_text import component, imports
from pipeline.host.abi.core_functions import CORE_FUNCTIONS
from pipeline.host.abi.wit_types import ENCODING, ERROR_CODE, TENSOR_TYPE
from pipeline.host.host import Host, NamedGraph, Outcome

PAGES = 4
_DATA, _HEAP = 1024, 2 << 16
FILL = 0xAA
_COUNTS = {each.label: (each.parameters, each.pointer, each.results) for each in CORE_FUNCTIONS}
# A component with a module more than the usual toolchains write runs as Wasmtime runs it.
GENERAL = "(core module)"

REALLOC = f"""\
  (global $top (mut i32) (i32.const {_HEAP}))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get 2))))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $top) (i32.shl (memory.size) (i32.const 16))) (then
      (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))
        (i32.const -1)) (then (unreachable)))))
    (local.get $at))
"""


@dataclass(frozen=True)
class Place:
    """A place in memory; as an argument, the u32 there at the time of the call."""

    at: int

    def __add__(self, offset: int) -> Place:
        return Place(self.at + offset)


Argument = int | Place | str


@dataclass
class Ran:
    """What the component found: its memory at the end, and what the host said."""

    memory: bytes
    outcome: Outcome

    def u32(self, place: Place) -> int:
        return int(struct.unpack_from("<I", self.memory, place.at)[0])

    def listed(self, place: Place, size: int = 1) -> bytes:
        """Return the bytes of a list or string whose address and length are at a place."""
        at, length = struct.unpack_from("<II", self.memory, place.at)
        return self.memory[at : at + length * size]

    def outputs(self, result: Place) -> dict[str, int]:
        """Return the handles of compute's result by name."""
        at, count = struct.unpack_from("<II", self.memory, result.at + 4)
        found = {}
        for each in range(count):
            name, length, handle = struct.unpack_from("<III", self.memory, at + 12 * each)
            found[self.memory[name : name + length].decode()] = handle
        return found

    def code(self, result: Place) -> str:
        """Return ok, or error, of a result."""
        return "error" if self.memory[result.at] else "ok"

    @property
    def messages(self) -> str:
        return "\n".join(self.outcome.messages)


@dataclass
class ComponentScript:
    """Places for bytes, and the calls over them."""

    body: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    free: int = _DATA
    functions: str = ""
    realloc: str = REALLOC
    # The lines before which no memory is printed.
    silent: bool = False

    def put(self, data: bytes, align: int = 8) -> int:
        at = self.free = -(-self.free // align) * align
        text = "".join(f"\\{byte:02x}" for byte in data)
        self.segments.append(f'(data (i32.const {at}) "{text}")')
        self.free += len(data)
        assert self.free < _HEAP
        return at

    def room(self, size: int = 16) -> Place:
        return Place(self.put(bytes([FILL]) * size))

    def call(self, label: str, *arguments: Argument) -> Place:
        """Make a call; its result, if any, is at the place returned."""
        parameters, pointer, results = _COUNTS[label]
        place = self.room()
        values = [*arguments, place.at] if pointer else arguments
        assert len(values) == parameters, (label, values)
        text = " ".join(map(_value, values))
        made = f"(call ${label} {text})"
        self.body.append(f"(i32.store (i32.const {place.at}) {made})" if results else made)
        return place

    def loop(self, count: int, script: ComponentScript) -> None:
        """Make the calls of another script that has the same places, many times."""
        local = f"$loop{len(self.body)}"
        self.functions += f"(global {local} (mut i32) (i32.const {count}))\n"
        self.body += [
            f"(loop {local}",
            *script.body,
            f"(global.set {local} (i32.sub (global.get {local}) (i32.const 1)))",
            f"(br_if {local} (global.get {local})))",
        ]

    def load(self, name: str) -> Place:
        data = name.encode()
        return self.call("load-by-name", self.put(data), len(data)) + 4

    def load_bytes(self, *parts: bytes, encoding: str = "openvino", target: int = 0) -> Place:
        table = b"".join(struct.pack("<II", self.put(part), len(part)) for part in parts)
        return self.call(
            "load", self.put(table), len(parts), ENCODING.cases.index(encoding), target
        )

    def context(self, graph: Place) -> Place:
        return self.call("init-execution-context", graph) + 4

    def tensor(self, dims: Sequence[int], data: bytes, kind: str = "FP32") -> Place:
        at = self.put(struct.pack(f"<{len(dims)}I", *dims))
        number = TENSOR_TYPE.cases.index(kind)
        return self.call("tensor.constructor", at, len(dims), number, self.put(data), len(data))

    def compute(self, context: Argument, *inputs: tuple[str, Place | int]) -> Place:
        listed = self.put(bytes(12 * max(len(inputs), 1)))
        for number, (name, tensor) in enumerate(inputs):
            at = listed + 12 * number
            text = name.encode()
            for value in (self.put(text), len(text), tensor):
                self.body.append(f"(i32.store (i32.const {at}) {_value(value)})")
                at += 4
        return self.call("compute", context, listed, len(inputs))

    def output(self, result: Place, index: int = 0) -> str:
        """Return the handle of an output, as an argument."""
        return f"(i32.load offset={12 * index + 8} (i32.load offset=4 (i32.const {result.at})))"

    def failed(self, result: Place) -> tuple[Place, Place]:
        """Return the places of an error's code and text."""
        return self.call("error.code", result + 4), self.call("error.data", result + 4)

    def text(self, *, general: bool = True) -> str:
        end = [] if self.silent else ["(call $dump)"]
        lines = [
            "(core module $main-module",
            imports(),
            f'  (memory (export "memory") {PAGES})',
            *self.segments,
            self.realloc,
            self.functions,
            "  (func $dump (i32.store (i32.const 0) (i32.const 0))"
            "    (i32.store (i32.const 4) (i32.shl (memory.size) (i32.const 16)))"
            "    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))",
            '  (func (export "_start")',
            *self.body,
            *end,
            "))",
        ]
        return component("\n".join(lines), extra=GENERAL if general else "")

    def write(self, folder: Path, *, general: bool = True) -> Path:
        return write_component(folder, self.text(general=general))

    def run(
        self,
        folder: Path,
        graphs: Sequence[NamedGraph] = (),
        host: Host | None = None,
        general: bool = True,
        **options: Any,
    ) -> Ran:
        wasm = self.write(folder, general=general)
        outcome = (host or Host()).run(wasm, graphs=graphs, capture=1 << 26, **options)
        assert outcome.stdout is not None
        return Ran(outcome.stdout, outcome)


def write_component(folder: Path, text: str) -> Path:
    wasm = folder / "guest.component.wasm"
    wasm.write_bytes(wasmtime.wat2wasm(text))
    return wasm


def code_number(name: str) -> int:
    """Return the number of an error code."""
    return ERROR_CODE.cases.index(name)


def _value(value: Argument) -> str:
    if isinstance(value, Place):
        return f"(i32.load (i32.const {value.at}))"
    return value if isinstance(value, str) else f"(i32.const {value & 0xFFFFFFFF})"
