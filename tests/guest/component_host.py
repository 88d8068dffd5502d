"""A host of wasi:nn under the adapter's core module: resources, and lists passed by its realloc."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import wasmtime

from pipeline.guest.component.componentize import ADAPTER

_VERSION = "0.2.0-rc-2024-10-28"
# Parameters of each import, and whether it has a result.
_IMPORTS = {
    ("graph", "load"): (5, False),
    ("graph", "load-by-name"): (3, False),
    ("graph", "[method]graph.init-execution-context"): (2, False),
    ("graph", "[resource-drop]graph"): (1, False),
    ("inference", "[method]graph-execution-context.compute"): (4, False),
    ("inference", "[resource-drop]graph-execution-context"): (1, False),
    ("tensor", "[constructor]tensor"): (5, True),
    ("tensor", "[method]tensor.dimensions"): (2, False),
    ("tensor", "[method]tensor.ty"): (1, True),
    ("tensor", "[method]tensor.data"): (2, False),
    ("tensor", "[resource-drop]tensor"): (1, False),
    ("errors", "[method]error.code"): (1, True),
    ("errors", "[resource-drop]error"): (1, False),
}
SIZES = (2, 4, 8, 2, 1, 4, 8)


@dataclass(frozen=True)
class HostTensor:
    """A tensor resource."""

    dims: tuple[int, ...]
    type: int
    data: bytes


@dataclass
class ComponentHost:
    """Computes ``outputs``; the call of ``refuses`` returns an error of that code.

    ``loaded`` and ``computed`` are what it was given; ``live`` are the resources by handle;
    ``pages`` are the limits of the guest's memory.
    """

    outputs: Sequence[HostTensor] = ()
    refuses: dict[str, int] = field(default_factory=dict)
    loaded: list[Any] = field(default_factory=list)
    computed: list[dict[str, HostTensor]] = field(default_factory=list)
    live: dict[int, Any] = field(default_factory=dict)
    pages: tuple[int, int | None] = (16, None)

    def __post_init__(self) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        limits = wasmtime.Limits(*self.pages)
        self.memory = wasmtime.Memory(self.store, wasmtime.MemoryType(limits))
        linker, number = wasmtime.Linker(engine), wasmtime.ValType.i32()
        linker.define(self.store, "env", "memory", self.memory)
        for (interface, name), (count, back) in _IMPORTS.items():
            kind = wasmtime.FuncType([number] * count, [number] * back)
            function = partial(self._called, interface, name)
            linker.define_func(f"wasi:nn/{interface}@{_VERSION}", name, kind, function)
        module = wasmtime.Module(engine, ADAPTER.read_text())
        self.exports = linker.instantiate(self.store, module).exports(self.store)
        self._handles = iter(range(1, 1 << 30))

    def call(self, name: str, *arguments: int) -> int:
        """Call a function of the core ABI; return its errno."""
        return int(self.exports[name](self.store, *arguments))  # type: ignore[operator]

    def write(self, at: int, data: bytes) -> None:
        """Write into the guest's memory."""
        self.memory.write(self.store, data, at)

    def read(self, at: int, size: int) -> bytes:
        """Return bytes of the guest's memory."""
        return bytes(self.memory.read(self.store, at, at + size))

    def u32(self, at: int) -> int:
        """Return a number in the guest's memory."""
        return int(struct.unpack("<I", self.read(at, 4))[0])

    def count(self, kind: str) -> int:
        """Return how many resources of a kind are live: graph, context, error or tensor."""
        kinds = [each if isinstance(each, str) else "tensor" for each in self.live.values()]
        return kinds.count(kind)

    def _called(self, interface: str, name: str, *arguments: int) -> int | None:
        given = [each & 0xFFFFFFFF for each in arguments]
        if name.startswith("[resource-drop]"):
            del self.live[given[0]]
            return None
        method = name.rpartition(".")[2].replace("-", "_").replace("[constructor]", "new_")
        result: int | None = getattr(self, f"_{method}")(*given)
        return result

    def _new(self, resource: Any) -> int:
        handle = next(self._handles)
        self.live[handle] = resource
        return handle

    def _result(self, call: str, resource: str, out: int) -> None:
        refused = call in self.refuses
        self.write(out, bytes([refused]))
        self.write(out + 4, struct.pack("<I", self._new("error" if refused else resource)))

    def _list(self, data: bytes, count: int, alignment: int) -> tuple[int, int]:
        place = self.exports["cabi_import_realloc"](self.store, 0, 0, alignment, len(data))  # type: ignore[operator]
        assert place % alignment == 0
        if data:
            self.write(place & 0xFFFFFFFF, data)
        return place & 0xFFFFFFFF, count

    def _load(self, builders: int, count: int, encoding: int, target: int, out: int) -> None:
        # The canonical ABI traps on these.
        assert builders % 4 == 0
        assert encoding < 7
        assert target < 3
        pairs = struct.iter_unpack("<II", self.read(builders, 8 * count))
        self.loaded.append(([self.read(*pair) for pair in pairs], encoding, target))
        self._result("load", "graph", out)

    def _load_by_name(self, name: int, length: int, out: int) -> None:
        self.loaded.append(self.read(name, length).decode())
        self._result("load_by_name", "graph", out)

    def _init_execution_context(self, graph: int, out: int) -> None:
        assert self.live[graph] == "graph"
        self._result("init_execution_context", "context", out)

    def _new_tensor(self, dims: int, rank: int, kind: int, data: int, size: int) -> int:
        assert dims % 4 == 0
        assert kind < len(SIZES)
        shape = struct.unpack(f"<{rank}I", self.read(dims, 4 * rank))
        return self._new(HostTensor(shape, kind, self.read(data, size)))

    def _compute(self, context: int, inputs: int, count: int, out: int) -> None:
        assert self.live[context] == "context"
        triples = struct.iter_unpack("<III", self.read(inputs, 12 * count))
        self.computed.append(
            {self.read(at, length).decode(): self.live.pop(each) for at, length, each in triples}
        )
        if "compute" in self.refuses:
            self._result("compute", "", out)
            return
        room, _ = self._list(bytes(12 * len(self.outputs)), len(self.outputs), 4)
        for index, output in enumerate(self.outputs):
            name = f"out{index}".encode()
            place = self._list(name, len(name), 1)
            self.write(room + 12 * index, struct.pack("<III", *place, self._new(output)))
        self.write(out, struct.pack("<III", 0, room, len(self.outputs)))

    def _dimensions(self, tensor: int, out: int) -> None:
        dims = self.live[tensor].dims
        place = self._list(struct.pack(f"<{len(dims)}I", *dims), len(dims), 4)
        self.write(out, struct.pack("<II", *place))

    def _ty(self, tensor: int) -> int:
        return int(self.live[tensor].type)

    def _data(self, tensor: int, out: int) -> None:
        data = self.live[tensor].data
        self.write(out, struct.pack("<II", *self._list(data, len(data), 1)))

    def _code(self, error: int) -> int:
        assert self.live[error] == "error"
        (code,) = self.refuses.values()
        return code
