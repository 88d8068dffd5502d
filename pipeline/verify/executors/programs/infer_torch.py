"""Infers a PyTorch module with torch: inputs and outputs by position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from array_io import Order, serve
from torch_module import load


def infer(order: Order) -> Iterator[list[Any]]:
    """Run the module; it may return a tensor, or several in a tuple, list or mapping."""
    files = {label: str(path) for label, path in order.files.items()}
    module = load(files, order.architecture, order.seed)
    with torch.inference_mode():
        for inputs in order.draws:
            yield _run(module, inputs, order.outputs)
        if order.measure:
            # What runs eagerly is not optimised as a graph: its kernels are other ones instead.
            with torch.backends.mkldnn.flags(enabled=False), torch.jit.optimized_execution(False):
                yield _run(module, order.draws[0], order.outputs)


def _run(module: Any, inputs: dict[str, Any], outputs: list[str]) -> list[Any]:
    found = module(*(torch.from_numpy(array) for array in inputs.values()))
    if isinstance(found, dict):
        found = list(found.values())
    arrays = [found] if isinstance(found, torch.Tensor) else list(found)
    if len(arrays) != len(outputs):
        raise ValueError(f"the module returns {len(arrays)} tensors, the IR {len(outputs)}")
    return [array.numpy() for array in arrays]


if __name__ == "__main__":
    serve(infer, torch.__version__)
