"""Inspect an MXNet symbol: variables without a stored parameter are its inputs."""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import ModelInterface, TensorInfo

_LARGEST = 64 << 20


def introspect_mxnet(files: Mapping[str, Path]) -> ModelInterface:
    """Return the outline of ``symbol`` with its ``params``; shapes are often missing.

    Raises PipelineError (MODEL).
    """
    symbol, params = files["symbol"], files["params"]
    try:
        if symbol.stat().st_size > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes")
        nodes = json.loads(symbol.read_bytes())["nodes"]
        variables = [node for node in nodes if node["op"] == "null"]
        names = [str(node["name"]) for node in variables]
        valued = _valued(params, names)
        inputs = [
            TensorInfo(name=name, type="f32", shape=_shape(node))
            for name, node in zip(names, variables, strict=True)
            # Labels are inputs for training only.
            if name not in valued and not name.endswith("label")
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PipelineError(
            Code.MODEL,
            "The file is not an MXNet symbol.",
            where=str(symbol),
            expected="JSON with the nodes of a network",
            found=str(error)[:200],
        ) from None
    if not inputs:
        raise PipelineError(Code.MODEL, "The symbol has no input.", where=str(symbol))
    return ModelInterface(inputs=tuple(inputs))


def _valued(params: Path, names: list[str]) -> set[str]:
    """Return the variables that have an array in the file, found by length and name."""
    if params.stat().st_size == 0:
        raise ValueError(f"{params.name} is empty")
    found = set()
    with (
        params.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as held,
    ):
        for name in names:
            stored = [f"{kind}:{name}".encode() for kind in ("arg", "aux")]
            if any(held.rfind(struct.pack("<Q", len(each)) + each) >= 0 for each in stored):
                found.add(name)
    return found


def _shape(node: Any) -> tuple[int | None, ...] | None:
    given = (node.get("attrs") or node.get("attr") or {}).get("__shape__", "")
    sizes = [part for part in str(given).strip("()[] ").split(",") if part.strip()]
    return tuple(int(size) or None for size in sizes) or None
