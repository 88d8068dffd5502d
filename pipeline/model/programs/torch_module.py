"""A PyTorch module from its files: a state dict, TorchScript, or an exported program."""

import importlib
from typing import Any

import torch


def load(files: dict[str, str], architecture: str | None) -> Any:
    """Return the module, ready for inference.

    A state dict is read with ``weights_only``: what else a pickle could run is refused.
    """
    if "torchscript" in files:
        return torch.jit.load(files["torchscript"], map_location="cpu").eval()
    if "exported" in files:
        return torch.export.load(files["exported"]).module()
    assert architecture is not None
    module = _architecture(architecture)()
    state = torch.load(files["weights"], map_location="cpu", weights_only=True)
    module.load_state_dict(state)
    return module.eval()


def _architecture(name: str) -> Any:
    package, _, function = name.partition(":")
    if not function:
        package, function = f"architectures.{name}", name
    return getattr(importlib.import_module(package), function)
