"""Load a PyTorch module from a state dict, TorchScript, or an exported program."""

import importlib
import pickle
import re
from typing import Any

import torch


def load(files: dict[str, str], architecture: str | None) -> Any:
    """Return the module in inference mode.

    A state dict is loaded with ``weights_only``, so that no code of the pickle runs.
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
        # PyTorch's own message suggests to trust the file.
        refused = re.search(r"GLOBAL (\S+)|Unsupported (?:global|class|operand) (\S+)", str(error))
        what = f" ({next(filter(None, refused.groups()))})" if refused else ""
        raise ValueError(
            f"Refused to load the weights: the pickle contains more than tensors{what}."
        ) from None
    try:
        module.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(f"The weights do not match {architecture}: {first}") from None
    return module.eval()


def _architecture(name: str) -> Any:
    package, _, function = name.partition(":")
    if not function:
        package, function = f"architectures.{name}", name
    try:
        return getattr(importlib.import_module(package), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"Cannot import the architecture {name!r}: {error}.") from None
