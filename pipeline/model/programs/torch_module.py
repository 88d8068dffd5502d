"""A PyTorch module from its files: a state dict, TorchScript, or an exported program."""

import importlib
import pickle
import re
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
    try:
        state = torch.load(files["weights"], map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Its own advice is to trust the file.
        told = re.search(r"GLOBAL (\S+)|Unsupported (?:global|class|operand) (\S+)", str(error))
        what = f" ({next(filter(None, told.groups()))})" if told else ""
        raise ValueError(
            f"The weights' file is a pickle of more than tensors{what}, and was not loaded."
        ) from None
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"The weights are of another net than {architecture}: {first}") from None
    return module.eval()


def _architecture(name: str) -> Any:
    package, _, function = name.partition(":")
    if not function:
        package, function = f"architectures.{name}", name
    try:
        return getattr(importlib.import_module(package), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"No architecture {name!r} can be imported: {error}.") from None
