"""A wasi-nn host that answers as it is told, and remembers what it was given."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wasmtime

_ARITY = {
    "load": 5,
    "load_by_name": 3,
    "init_execution_context": 2,
    "set_input": 3,
    "compute": 1,
    "get_output": 5,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor as the guest passed it."""

    index: int
    dims: tuple[int, ...]
    type: int
    data: bytes


@dataclass(frozen=True)
class Ended:
    """How the guest ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass
class ScriptedHost:
    """Answers ``errnos`` by function, ``outputs`` by index; ``written`` replaces bytes_written.

    With ``written`` -1 it is left untouched, as some hosts do.
    """

    outputs: Sequence[bytes] = ()
    errnos: Mapping[str, int] = field(default_factory=dict)
    written: int | None = None
    builders: list[bytes] = field(default_factory=list)
    encoding: int | None = None
    name: str | None = None
    inputs: list[Tensor] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def run(
        self, module: wasmtime.Module, engine: wasmtime.Engine, folder: Path, *args: str
    ) -> Ended:
        """Run the guest over ``folder/fixture``, and ``folder/out`` where there is one."""
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        number = wasmtime.ValType.i32()
        for name, arity in _ARITY.items():
            kind = wasmtime.FuncType([number] * arity, [number])
            linker.define_func(
                "wasi_ephemeral_nn", name, kind, self._function(name), access_caller=True
            )
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["classify", *args]
        stdout, stderr = folder / "stdout", folder / "stderr"
        wasi.stdout_file, wasi.stderr_file = str(stdout), str(stderr)
        for name in ("fixture", "out"):
            if (folder / name).is_dir():
                wasi.preopen_dir(str(folder / name), name, name == "out")
        with wasmtime.Store(engine) as store:
            store.set_wasi(wasi)
            exports = linker.instantiate(store, module).exports(store)
            code = 0
            try:
                exports["_start"](store)  # type: ignore[operator] # a function
            except wasmtime.ExitTrap as ended:
                code = ended.code
        return Ended(code, *(path.read_text(errors="replace") for path in (stdout, stderr)))

    def _function(self, name: str) -> Any:
        answer = getattr(self, f"_{name}")

        def function(caller: wasmtime.Caller, *arguments: int) -> int:
            self.calls.append(name)
            memory = caller.get("memory")
            assert isinstance(memory, wasmtime.Memory)
            if not self.errnos.get(name):
                answer(_Guest(memory, caller), *(each & 0xFFFFFFFF for each in arguments))
            return self.errnos.get(name, 0)

        return function

    def _load(
        self, guest: _Guest, array: int, count: int, encoding: int, target: int, out: int
    ) -> None:
        assert target == 0
        pairs = struct.iter_unpack("<II", guest.read(array, 8 * count))
        self.builders = [guest.read(start, size) for start, size in pairs]
        self.encoding = encoding
        guest.write(out, struct.pack("<I", 7))

    def _load_by_name(self, guest: _Guest, start: int, size: int, out: int) -> None:
        self.name = guest.read(start, size).decode()
        guest.write(out, struct.pack("<I", 7))

    def _init_execution_context(self, guest: _Guest, graph: int, out: int) -> None:
        assert graph == 7
        guest.write(out, struct.pack("<I", 9))

    def _set_input(self, guest: _Guest, context: int, index: int, tensor: int) -> None:
        assert context == 9
        dims, rank, type_, data, size = struct.unpack("<IIB3xII", guest.read(tensor, 20))
        shape = struct.unpack(f"<{rank}I", guest.read(dims, 4 * rank))
        self.inputs.append(Tensor(index, shape, type_, guest.read(data, size)))

    def _compute(self, guest: _Guest, context: int) -> None:
        assert context == 9

    def _get_output(
        self, guest: _Guest, context: int, index: int, start: int, most: int, out: int
    ) -> None:
        assert context == 9
        data = self.outputs[index]
        assert len(data) <= most
        guest.write(start, data)
        if self.written != -1:
            guest.write(out, struct.pack("<I", len(data) if self.written is None else self.written))


@dataclass(frozen=True)
class _Guest:
    """The guest's memory, as long as a call lasts."""

    memory: wasmtime.Memory
    caller: wasmtime.Caller

    def read(self, start: int, size: int) -> bytes:
        assert start + size <= self.memory.data_len(self.caller)
        return bytes(self.memory.read(self.caller, start, start + size))

    def write(self, start: int, data: bytes) -> None:
        assert start + len(data) <= self.memory.data_len(self.caller)
        self.memory.write(self.caller, data, start)
