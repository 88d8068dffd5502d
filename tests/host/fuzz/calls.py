"""Random sequences of calls, from those of a good guest to those of none."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from pipeline.host.abi.enums import FUNCTIONS
from tests.host.fuzz.memory import Image, number, out_place

FUNCTION_NAMES = tuple(FUNCTIONS)
# What the guest does beside calls: copy bytes, grow its memory, store a number.
COPY, GROW, STORE = range(len(FUNCTION_NAMES), len(FUNCTION_NAMES) + 3)
RECORD = struct.Struct("<8I")
_WEIGHTS = {
    "load": 2,
    "load_by_name": 3,
    "init_execution_context": 4,
    "set_input": 10,
    "compute": 8,
    "get_output": 8,
    "load_by_name_with_config": 1,
    "unload": 1,
    "finalize_execution_context": 2,
    "get_output_single": 1,
    "compute_single": 1,
    "fini_single": 1,
}
_MOST_CALLS = 24


# For each named graph, its inputs and the tensors that fit, by their places in the image.
_FITTING = (((0, 0), (0, 1)), ((0, 0), (1, 1)), ((0, 2),), ((0, 1),))


@dataclass(frozen=True)
class _Plan:
    """What a good guest would do with its graph: how often a number of a call is another.

    ``wild`` of nothing means that contexts and tensors are those that fit, too.
    """

    chance: random.Random
    image: Image
    graph: int
    wild: float | None

    def call(self, name: str) -> bytes:
        values = [
            number(self.chance, self.image) if self.chance.random() < (self.wild or 0.0) else each
            for each in self.good(name)
        ]
        return _record(FUNCTION_NAMES.index(name), *values)

    def good(self, name: str) -> list[int]:
        chance, image = self.chance, self.image
        out = out_place(chance)
        strict = self.wild is None
        handle = 0 if strict else chance.choice((0, 0, 0, 0, 0, 0, 1, 1, 2))
        if name == "load":
            at, count, encoding = chance.choice(image.builders)
            number_or_any = chance.choice((encoding, encoding, encoding, 5))
            return [at, count, number_or_any, chance.choice((0, 0, 0, 3)), out]
        if name.startswith("load_by_name"):
            mine = chance.random() < 0.6
            at, size = image.names[self.graph] if mine else chance.choice(image.names)
            config = image.names[-1] if name.endswith("config") else ()
            return [at, size, *config, out]
        if name == "init_execution_context":
            return [handle, out]
        if name == "set_input":
            index, tensor = chance.choice(_FITTING[self.graph])
            if not strict and chance.random() < 0.2:
                tensor = chance.randrange(len(image.tensors))
            return [handle, index, image.tensors[tensor]]
        if name.startswith("get_output"):
            index = chance.choice((0, 0, 0, 1))
            size = chance.choice((24, 24, 64, 16, 7, 0))
            return [handle, index, out_place(chance), size, out]
        return [handle]


def sequence(chance: random.Random, image: Image) -> bytes:
    """Return the records of one sequence: an operation and its numbers, each a u32."""
    graph = chance.randrange(len(_FITTING))
    plan = _Plan(chance, image, graph, chance.choice((0.0, 0.02, 0.1, 0.5)))
    records = []
    if chance.random() < 0.8:
        good = _Plan(chance, image, graph, None)
        at, size = image.names[graph]
        out = out_place(chance)
        records.append(_record(FUNCTION_NAMES.index("load_by_name"), at, size, out))
        records.append(good.call("init_execution_context"))
        inputs = len({index for index, _ in _FITTING[graph]})
        records += [good.call("set_input") for _ in range(inputs * 3)]
        records += [good.call(name) for name in ("compute", "get_output", "get_output")]
    for _ in range(chance.randrange(1, _MOST_CALLS)):
        if chance.random() < 0.1:
            records.append(_own(chance, image))
        else:
            (name,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            records.append(plan.call(name))
    return b"".join(records)


def _own(chance: random.Random, image: Image) -> bytes:
    kind = chance.choice((COPY, COPY, STORE, STORE, STORE, GROW))
    if kind == GROW:
        return _record(GROW, chance.randrange(4))
    if kind == STORE:
        record = chance.choice([*image.tensors, *(each[0] for each in image.builders)])
        return _record(STORE, record + chance.randrange(20), number(chance, image))
    places = [*image.tensors, *(each[0] for each in image.models), out_place(chance)]
    return _record(
        COPY, chance.choice(places), chance.choice(places), chance.choice((1, 4, 20, 64))
    )


def _record(*values: int) -> bytes:
    return RECORD.pack(*values, *[0] * (8 - len(values)))
