"""Tiny models, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TYPES = ("f16", "f32", "f64", "u8", "i32", "i64")


@dataclass(frozen=True)
class Ir:
    """A model in a folder that holds it as model.xml and model.bin."""

    folder: Path

    @property
    def xml(self) -> bytes:
        return (self.folder / "model.xml").read_bytes()

    @property
    def bin(self) -> bytes:
        return (self.folder / "model.bin").read_bytes()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ir]:
    import numpy
    import openvino
    from openvino import opset13 as op

    root = tmp_path_factory.mktemp("models")
    made: dict[str, Ir] = {}

    def keep(name: str, outputs: list[Any], inputs: list[Any]) -> None:
        model = openvino.Model([op.result(each) for each in outputs], inputs, name)
        openvino.save_model(model, root / name / "model.xml", compress_to_fp16=False)
        made[name] = Ir(root / name)

    x = op.parameter([1, 4], numpy.float32, name="x")
    keep("add", [op.add(x, op.constant(numpy.array([[0, 10, 20, 30]], numpy.float32)))], [x])

    a = op.parameter([2], numpy.float32, name="minuend")
    b = op.parameter([2], numpy.float32, name="subtrahend")
    keep("subtract", [op.subtract(a, b)], [a, b])

    x = op.parameter([2], numpy.float32, name="x")
    keep("types", [op.convert(x, each) for each in TYPES], [x])

    for each in TYPES:
        x = op.parameter([2], getattr(openvino.Type, each), name="x")
        keep(f"double-{each}", [op.add(x, x)], [x])

    x = op.parameter([-1, 2], numpy.float32, name="x")
    keep("dynamic", [op.multiply(x, op.constant(numpy.float32(2)))], [x])

    x = op.parameter([], numpy.float32, name="x")
    keep("scalar", [op.relu(x)], [x])

    keep("endless", *_endless(op, openvino, numpy))
    return made


def _endless(op: Any, openvino: Any, numpy: Any) -> tuple[list[Any], list[Any]]:
    inner = op.parameter([256, 256], numpy.float32)
    product = op.matmul(inner, inner, False, False)
    body = openvino.Model([op.result(product), op.result(op.constant(True))], [inner])
    x = op.parameter([256, 256], numpy.float32, name="x")
    loop = op.loop(op.constant(numpy.int64(10**9)), op.constant(True))
    loop.set_function(body)
    loop.set_special_body_ports([-1, 1])
    loop.set_merged_input(inner, x.output(0), product.output(0))
    return [loop.get_iter_value(product.output(0), -1)], [x]
