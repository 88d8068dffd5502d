"""Random sequences of component calls, made both ways at once: each call must end alike.

A component whose export makes one call of wasi:nn is driven from outside, so that a sequence needs
no guest of its own. The other way is its program, with the same calls.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import component

from pipeline.conformance.component_text import component as component_text
from pipeline.conformance.component_text import imports
from pipeline.host.abi.core_functions import CORE_FUNCTIONS
from pipeline.host.abi.wit_types import INTERFACES, RESOURCES, Borrow
from pipeline.host.component.outline import program_of
from pipeline.host.wasi_nn import Limits, NamedGraph, WasiNn
from tests.host.component_script import REALLOC

STEPS = 24
_MOST = max(each.parameters for each in CORE_FUNCTIONS)
# Places: names, dims, data, builders, inputs, and results.
_NAME, _DIMS, _DATA, _BUILDERS, _INPUTS, _OUT = 1024, 2048, 4096, 8192, 9000, 9600
_DIM_SETS: tuple[tuple[int, ...], ...] = (
    *((1, 4), (1, 4), (1, 4), (4,), (1, 5), (2,), (), (0,)),
    *((1, 0), (0xFFFFFFFF, 4)),
)
_NUMBERS = {each.label: number for number, each in enumerate(CORE_FUNCTIONS)}
_MADE = {
    "tensor.constructor": "tensor",
    "load": "graph",
    "load-by-name": "graph",
    "init-execution-context": "graph-execution-context",
    "compute": "tensor",
}
# The calls that lead to an inference are more frequent than the others.
_WEIGHTS = {
    **dict.fromkeys(_NUMBERS, 1),
    **{"tensor.constructor": 6, "load-by-name": 3, "init-execution-context": 4, "compute": 8},
}
_NAMES: tuple[bytes, ...] = (b"x", b"0", b"m", b"a", b"b", b"1", b"\xff\xfe", b"", b"two")


def _dispatch() -> str:
    lines = []
    for number, each in enumerate(CORE_FUNCTIONS):
        given = " ".join(f"(local.get {at + 1})" for at in range(each.parameters))
        call = f"(call ${each.label} {given})"
        value = call if each.results else f"{call} (i32.const 0)"
        lines.append(
            f"(if (i32.eq (local.get 0) (i32.const {number})) (then (return {value})))"
            if each.results
            else f"(if (i32.eq (local.get 0) (i32.const {number})) (then {call} "
            "(return (i32.const 0))))"
        )
    return "\n".join(lines)


def driven_component() -> bytes:
    """Return the component: `call`, and `peek` and `poke` for its memory."""
    numbers = " ".join("i32" for _ in range(_MOST + 1))
    module = f"""(core module $main-module
{imports()}
  (memory (export "memory") 4)
{REALLOC}
  (func (export "_start"))
  (func (export "call") (param {numbers}) (result i32) {_dispatch()} (i32.const -1))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "poke") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"""
    given = " ".join(f'(param "p{at}" u32)' for at in range(_MOST + 1))
    extra = f"""
(func (export "call") {given} (result u32) (canon lift (core func $main "call")))
(func (export "peek") (param "at" u32) (result u32) (canon lift (core func $main "peek")))
(func (export "poke") (param "at" u32) (param "value" u32) (canon lift (core func $main "poke")))"""
    return bytes(wasmtime.wat2wasm(component_text(module, extra=extra)))


@dataclass
class Driven:
    """One way's instance: its three functions, and what its calls hold."""

    call: Any
    peek: Any
    poke: Any
    calls: Any
    store: wasmtime.Store


@dataclass
class Fuzzer:
    """Both ways in one engine; ``counts`` are the calls by function and how they ended."""

    models: dict[str, Path]
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        config = wasmtime.Config()
        config.signals_based_traps = False
        self.engine = wasmtime.Engine(config)
        wasm = driven_component()
        self.component = component.Component(self.engine, wasm)
        program = program_of(_without_calls(wasm), INTERFACES)
        assert program is not None
        self.module = wasmtime.Module(self.engine, program)
        graphs = [NamedGraph(name, folder) for name, folder in self.models.items()]
        self.nn = WasiNn(graphs=graphs, limits=Limits(bytes=1 << 26, graphs=8, contexts=8))

        self.linker = component.Linker(self.engine)
        self.linker.add_wasip2()
        self.calls = self.nn.add_to_component_linker(self.linker)

    def general(self) -> Driven:
        store = wasmtime.Store(self.engine)
        store.set_wasi(wasmtime.WasiConfig())
        instance = self.linker.instantiate(store, self.component)

        def function(name: str) -> Any:
            found = instance.get_func(store, name)
            assert found is not None
            return lambda *values: found(store, *values)

        return Driven(function("call"), function("peek"), function("poke"), self.calls, store)

    def core(self) -> Driven:
        linker = wasmtime.Linker(self.engine)
        linker.define_wasi()
        store = wasmtime.Store(self.engine)
        store.set_wasi(wasmtime.WasiConfig())
        program = self.nn.core_program()
        calls = program.define(linker, store)
        exports = linker.instantiate(store, self.module).exports(store)
        program.open(exports, store)

        def function(name: str) -> Any:
            found = exports[name]
            assert isinstance(found, wasmtime.Func)
            return lambda *values: (found(store, *values) or 0) & 0xFFFFFFFF

        return Driven(function("call"), function("peek"), function("poke"), calls, store)

    def sequence(self, seed: int) -> None:
        """Make the calls of a seed both ways; raises AssertionError where they end otherwise."""
        chosen = random.Random(seed)
        ways = (self.general(), self.core())
        self._place(ways, chosen)
        live: dict[str, list[int]] = {resource: [] for resource in RESOURCES}
        for _ in range(STEPS):
            number, values = self._values(chosen, live)
            label = CORE_FUNCTIONS[number].label
            given = self._inputs(ways, chosen, live, values[2]) if label == "compute" else []
            ended = [self._ended(way, number, values) for way in ways]
            assert ended[0] == ended[1], f"seed {seed}: {label}{values}: {ended}"
            self.counts[f"{label} {ended[0][0]}"] += 1
            assert ways[0].calls.held == ways[1].calls.held, f"seed {seed}: {label}: resources"
            if ended[0][0] == "trap":
                break
            _follow(live, label, values, given, ended[0])
            assert ways[0].calls.held == sum(map(len, live.values())), f"seed {seed}: {label}: held"
        for way in ways:
            way.calls.close()
            way.store.close()
            assert way.calls.held == 0

    def _ended(self, way: Driven, number: int, values: list[int]) -> tuple[Any, ...]:
        """Return how a call ended, and the words of its result and of what that lists."""
        try:
            returned = way.call(number, *values)
        except (wasmtime.WasmtimeError, wasmtime.Trap):
            return ("trap",)
        if not CORE_FUNCTIONS[number].pointer:
            return ("ok", returned)
        at = values[CORE_FUNCTIONS[number].parameters - 1]
        words = [way.peek(at + 4 * each) for each in range(3)]
        label = CORE_FUNCTIONS[number].label
        if label in ("load", "load-by-name", "init-execution-context", "compute"):
            if words[0] & 0xFF:
                return ("error", words[1])
            listed = words[2] if label == "compute" else 0
            handles = [way.peek(words[1] + 12 * each + 8) for each in range(listed)]
            return ("ok", *(handles or words[1:2]))
        size = words[1] * (4 if label == "tensor.dimensions" else 1)
        content = [way.peek(words[0] + each) for each in range(0, min(size, 64) - 3, 4)]
        return ("ok", words[1], *([] if label == "error.data" else content))

    def _write(self, ways: tuple[Driven, ...], at: int, value: int) -> None:
        for way in ways:
            way.poke(at, value)

    def _place(self, ways: tuple[Driven, ...], chosen: random.Random) -> None:
        for at, name in enumerate(_NAMES):
            word = int.from_bytes(name[:4].ljust(4, b"\0"), "little")
            rest = int.from_bytes(name[4:8].ljust(4, b"\0"), "little")
            self._write(ways, _NAME + 16 * at, word)
            self._write(ways, _NAME + 16 * at + 4, rest)
        for at, dims in enumerate(_DIM_SETS):
            for each, size in enumerate(dims):
                self._write(ways, _DIMS + 16 * at + 4 * each, size)
        for at in range(8):
            value = struct.unpack("<I", struct.pack("<f", at + 1))[0]
            self._write(ways, _DATA + 4 * at, value)
        for at in range(3):
            self._write(ways, _BUILDERS + 8 * at, _DATA)
            self._write(ways, _BUILDERS + 8 * at + 4, chosen.randrange(24))

    def _inputs(
        self,
        ways: tuple[Driven, ...],
        chosen: random.Random,
        live: dict[str, list[int]],
        count: int,
    ) -> list[int]:
        """Place the inputs of a call, mostly tensors that there are; return their handles."""
        tensors = list(live["tensor"])
        chosen.shuffle(tensors)
        given = []
        for at in range(min(count, 3)):
            odd = chosen.random() < 0.03 or not tensors
            given.append(chosen.randrange(8) if odd else tensors.pop())
            self._write(ways, _INPUTS + 12 * at + 8, given[-1])
            name = chosen.choice((0, 1)) if count == 1 else 3 + at
            if chosen.random() < 0.1:
                name = chosen.randrange(len(_NAMES))
            self._write(ways, _INPUTS + 12 * at, _NAME + 16 * name)
            self._write(ways, _INPUTS + 12 * at + 4, min(len(_NAMES[name]), 8))
        return given

    def _values(self, chosen: random.Random, live: dict[str, list[int]]) -> tuple[int, list[int]]:
        label = chosen.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
        number = _NUMBERS[label]
        each = CORE_FUNCTIONS[number]
        resource = each.drops or next(
            (
                kind.resource
                for _, kind in (each.signature.parameters if each.signature else ())
                if isinstance(kind, Borrow)
            ),
            "",
        )
        there = live.get(resource, [])
        if resource and not there and chosen.random() < 0.97:
            return self._values(chosen, live)
        handle = chosen.choice(there) if there else chosen.randrange(8)
        name = chosen.choice((2, 2, 2, 8, 8, 0, 7))
        dims = chosen.randrange(len(_DIM_SETS))
        likely = {
            "tensor.constructor": [
                *(_DIMS + 16 * dims, len(_DIM_SETS[dims]), chosen.choice((1, 1, 1, 1, 0, 3, 6))),
                *(_DATA, chosen.choice((16, 16, 16, 16, 8, 0))),
            ],
            "load": [_BUILDERS, chosen.randrange(4), chosen.choice((5, 5, 6, 3)), 0],
            "load-by-name": [_NAME + 16 * name, min(len(_NAMES[name]), 8)],
            "compute": [handle, _INPUTS, chosen.choice((0, 1, 1, 1, 1, 2, 2))],
        }
        if chosen.random() < 0.6:
            likely["tensor.constructor"] = [_DIMS, 2, 1, _DATA, 16]
        values = likely.get(each.label, [handle])
        if each.pointer:
            values = [*values, _OUT]
        if chosen.random() < 0.02:
            odd = (0, 3, 77, 0xFFFFFFFF, 0x7FFFFFF0, 262143, chosen.getrandbits(32))
            values[chosen.randrange(len(values))] = chosen.choice(odd)
        return number, [*values, *[0] * (_MOST - len(values))]


def _follow(
    live: dict[str, list[int]],
    label: str,
    values: list[int],
    given: list[int],
    ended: tuple[Any, ...],
) -> None:
    """Keep the account of the handles that there are after a call."""
    for handle in given:
        live["tensor"].remove(handle)
    if label.startswith("drop."):
        live[label.removeprefix("drop.")].remove(values[0])
    elif ended[0] == "error":
        live["error"].append(ended[1])
    elif label in _MADE:
        live[_MADE[label]] += ended[1:]


def _without_calls(wasm: bytes) -> bytes:
    """Return the component without the exports that drive it, which the usual ones lack."""
    from pipeline.host.sandbox.wasm_binary import sections

    kept = bytearray(wasm[:8])
    exported = 0
    for number, whole, _, end in sections(wasm):
        if number == 11:
            exported += 1
            if exported > 1:
                continue
        kept += wasm[whole:end]
    return bytes(kept)
