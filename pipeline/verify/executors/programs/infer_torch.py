"""Infers a PyTorch module with torch: inputs and outputs by position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from border import serve
from torch_module import load


def infer(
    files: dict[str, Path], inputs: dict[str, Any], outputs: list[str], architecture: str | None
) -> list[Any]:
    """Run the module; it may return a tensor, or several in a tuple, list or mapping."""
    module = load({label: str(path) for label, path in files.items()}, architecture)
    with torch.inference_mode():
        found = module(*(torch.from_numpy(array) for array in inputs.values()))
    if isinstance(found, dict):
        found = list(found.values())
    arrays = [found] if isinstance(found, torch.Tensor) else list(found)
    if len(arrays) != len(outputs):
        raise ValueError(f"the module returns {len(arrays)} tensors, the IR {len(outputs)}")
    return [array.numpy() for array in arrays]


if __name__ == "__main__":
    serve(infer, torch.__version__)
