"""What the memory of a fuzzed guest holds: models, tensors and names, whole or spoilt."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.host.made_models import tensorflow_graph, tflite_model

# The memory: what is described here, the room for what the host writes, then the calls.
IMAGE = 0x20000
_FIRST, _OUT = 0x1000, 0x1C000
U32 = 0xFFFFFFFF

# The named graphs, and what each makes of its inputs; all i32, whose arithmetic is exact.
NAMES = ("add", "minus", "dynamic", "several")


def save_models(folder: Path) -> None:
    """Write the IRs that guests load by name, each into a folder of its name."""
    import numpy
    import openvino
    from openvino import opset13 as op

    def four(name: str) -> Any:
        return op.parameter([1, 4], numpy.int32, name=name)

    def constant(*values: int) -> Any:
        return op.constant(numpy.array([values], numpy.int32))

    x, a, b = four("x"), four("a"), four("b")
    any_rows, wide = op.parameter([-1, 2], numpy.int32, name="x"), four("x")
    made: dict[str, tuple[list[Any], list[Any]]] = {
        "add": ([op.add(x, constant(0, 10, 20, 30))], [x]),
        "minus": ([op.subtract(a, b)], [a, b]),
        "dynamic": ([op.add(any_rows, constant(1))], [any_rows]),
        "several": ([op.add(wide, constant(1)), op.add(wide, constant(2))], [wide]),
    }
    for name, (outputs, inputs) in made.items():
        model = openvino.Model([op.result(each) for each in outputs], inputs, name)
        openvino.save_model(model, folder / name / "model.xml", compress_to_fp16=False)


def expected(name: str, inputs: dict[int, bytes], index: int) -> bytes:
    """Return the bytes of an output of a named graph, of inputs that stay small."""
    import numpy

    given = [numpy.frombuffer(inputs[each], "<i4") for each in sorted(inputs)]
    if name == "minus":
        made = given[0] - given[1]
    elif name == "add":
        made = given[0] + numpy.array([0, 10, 20, 30], "<i4")
    else:
        made = given[0] + (1 if name == "dynamic" else index + 1)
    return bytes(made.astype("<i4").tobytes())


@dataclass
class Image:
    """Bytes in their places, and where the pieces of each kind begin."""

    data: bytearray = field(default_factory=lambda: bytearray(IMAGE))
    free: int = _FIRST
    builders: list[tuple[int, int, int]] = field(default_factory=list)
    tensors: list[int] = field(default_factory=list)
    names: list[tuple[int, int]] = field(default_factory=list)
    models: list[tuple[int, int]] = field(default_factory=list)
    numbers: list[tuple[int, int]] = field(default_factory=list)

    def put(self, data: bytes) -> int:
        at = self.free
        self.data[at : at + len(data)] = data
        self.free = at + len(data) + 7 & ~7
        assert self.free < _OUT
        return at

    def model(self, encoding: int, *parts: bytes) -> None:
        places = [(self.put(part), len(part)) for part in parts]
        self.models += places
        at = self.put(b"".join(struct.pack("<2I", *place) for place in places))
        self.builders.append((at, len(parts), encoding))

    def tensor(self, kind: int, dims: tuple[int, ...], data: bytes) -> None:
        dims_at = self.put(struct.pack(f"<{len(dims)}I", *dims))
        data_at = self.put(data)
        self.numbers.append((data_at, len(data)))
        record = struct.pack("<3I2I", dims_at, len(dims), kind, data_at, len(data))
        self.tensors.append(self.put(record))


def whole_image(folder: Path) -> Image:
    """Return a memory of whole models and tensors, of those in ``folder`` and of other formats."""
    image = Image()
    for name in NAMES:
        xml, weights = (folder / name / f"model.{each}" for each in ("xml", "bin"))
        image.model(0, xml.read_bytes(), weights.read_bytes())
    image.model(1, _onnx())
    image.model(2, tensorflow_graph())
    image.model(4, tflite_model())
    for kind, dims in ((4, (1, 4)), (4, (1, 4)), (4, (3, 2)), (1, (1, 4)), (1, (4,)), (3, (1, 4))):
        size = 1 if kind == 3 else 4
        for each in dims:
            size *= each
        image.tensor(kind, dims, bytes(size))
    for text in (*NAMES, "nobody", "../add", "add\0", "\xff"):
        data = text.encode("latin-1")
        image.names.append((image.put(data), len(data)))
    image.names.append((image.put(b"{}"), 2))
    return image


def spoilt(image: Image, chance: random.Random) -> bytearray:
    """Return a copy with numbers of this sequence, and here and there another byte."""
    data = bytearray(image.data)
    for at, size in image.numbers:
        data[at : at + size] = struct.pack(
            f"<{size // 4}i", *(chance.randrange(-(1 << 20), 1 << 20) for _ in range(size // 4))
        ).ljust(size, b"\1")
    if chance.random() < 0.3:
        for _ in range(chance.randrange(1, 5)):
            record = chance.choice([*image.tensors, *(each[0] for each in image.builders)])
            field_at = record + 4 * chance.randrange(5)
            data[field_at : field_at + 4] = number(chance, image).to_bytes(4, "little")
    if chance.random() < 0.15:
        at, size = chance.choice(image.models)
        for _ in range(chance.choice((1, 1, 2, 8, 64))):
            if size:
                data[at + chance.randrange(size)] = chance.randrange(256)
    return data


def number(chance: random.Random, image: Image) -> int:
    """Return a u32 that is near a border of something, else any."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.getrandbits(32)
    if kind == 1:
        return (1 << chance.randrange(33)) + chance.randrange(-2, 3) & U32
    if kind == 2:
        return chance.choice((0x40000, IMAGE, 0x80000000)) + chance.randrange(-24, 8) & U32
    if kind == 3:
        return -chance.randrange(1, 64) & U32
    if kind == 4:
        return chance.randrange(image.free)
    if kind == 5:
        return _OUT + chance.randrange(IMAGE - _OUT)
    return chance.randrange(24)


def out_place(chance: random.Random) -> int:
    """Return where the host may write without spoiling what is described."""
    return _OUT + chance.randrange(IMAGE - _OUT - 256)


def _onnx() -> bytes:
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [4])],
        [helper.make_tensor_value_info("y", 1, [4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data
