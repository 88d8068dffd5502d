"""A guest made of calls: it makes them in order, keeps every errno, and prints its memory."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.host.abi.enums import FUNCTIONS, MODULE
from pipeline.host.host import Host, NamedGraph, Outcome

PAGES = 8
END = PAGES << 16
FILL = 0xAA
_IOVEC, _ERRNOS, _DATA = 16, 64, 8192


@dataclass
class Ran:
    """What the guest found: every errno, its memory at the end, and what the host said."""

    errnos: list[int]
    memory: bytes
    outcome: Outcome

    def u32(self, at: int) -> int:
        return int(struct.unpack_from("<I", self.memory, at)[0])

    def bytes_at(self, at: int, size: int) -> bytes:
        return self.memory[at : at + size]

    @property
    def messages(self) -> str:
        return "\n".join(self.outcome.messages)


@dataclass
class Script:
    """Places for bytes, and the calls over them."""

    body: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    calls: int = 0
    free: int = _DATA

    def put(self, data: bytes, align: int = 8) -> int:
        at = self.free = -(-self.free // align) * align
        text = "".join(f"\\{byte:02x}" for byte in data)
        self.segments.append(f'(data (i32.const {at}) "{text}")')
        self.free += len(data)
        assert self.free < END
        return at

    def room(self, size: int = 4) -> int:
        return self.put(bytes([FILL]) * size)

    def tensor(
        self, kind: int, dims: Sequence[int], data: bytes, *, padding: bytes = b"\0\0\0"
    ) -> int:
        dims_at = self.put(struct.pack(f"<{len(dims)}I", *dims))
        return self.record(dims_at, len(dims), kind, self.put(data), len(data), padding)

    def record(
        self,
        dims: int,
        rank: int,
        kind: int,
        data: int,
        size: int,
        padding: bytes = b"\0\0\0",
    ) -> int:
        return self.put(struct.pack("<IIB3sII", dims, rank, kind, padding, data, size))

    def builders(self, *parts: bytes) -> int:
        return self.put(b"".join(struct.pack("<II", self.put(part), len(part)) for part in parts))

    def call(self, name: str, *arguments: int) -> int:
        values = " ".join(f"(i32.const {value & 0xFFFFFFFF})" for value in arguments)
        self.body.append(
            f"(i32.store (i32.const {_ERRNOS + 4 * self.calls}) (call ${name} {values}))"
        )
        self.calls += 1
        return self.calls - 1

    def poke(self, at: int, value: int) -> None:
        self.body.append(f"(i32.store8 (i32.const {at}) (i32.const {value}))")

    def load(self, xml: bytes, weights: bytes, out: int) -> int:
        return self.call("load", self.builders(xml, weights), 2, 0, 0, out)

    def ready(self, xml: bytes, weights: bytes) -> None:
        """Load graph 0 and make context 0 of it."""
        self.load(xml, weights, self.room())
        self.call("init_execution_context", 0, self.room())

    def wat(self) -> str:
        imports = "".join(
            f'(import "{MODULE}" "{name}" (func ${name} (param{" i32" * len(each)}) (result i32)))'
            for name, each in FUNCTIONS.items()
        )
        iovec = "".join(f"\\{byte:02x}" for byte in struct.pack("<II", 0, END))
        return (
            '(module (import "wasi_snapshot_preview1" "fd_write" '
            "(func $fd_write (param i32 i32 i32 i32) (result i32)))"
            f'{imports} (memory (export "memory") {PAGES})'
            f'(data (i32.const {_IOVEC}) "{iovec}") {" ".join(self.segments)}'
            f'(func (export "_start") {" ".join(self.body)}'
            f"(drop (call $fd_write (i32.const 1) (i32.const {_IOVEC}) (i32.const 1)"
            " (i32.const 32)))))"
        )

    def run(self, folder: Path, *, graphs: Sequence[NamedGraph] = (), **host: Any) -> Ran:
        wasm = write_guest(folder, self.wat())
        out = folder / "memory"
        with Host(**host) as made:
            outcome = made.run(wasm, graphs=graphs, stdout=out, seconds=30)
        assert outcome.exit_code == 0
        memory = out.read_bytes()
        assert len(memory) == END
        errnos = list(struct.unpack_from(f"<{self.calls}i", memory, _ERRNOS))
        return Ran(errnos, memory, outcome)


def write_guest(folder: Path, wat: str, name: str = "guest.wasm") -> Path:
    """Compile a guest from its text."""
    import wasmtime

    path = folder / name
    path.write_bytes(wasmtime.wat2wasm(wat))
    return path
