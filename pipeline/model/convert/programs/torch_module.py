"""Load a PyTorch module from a state dict, a seed, TorchScript, or an exported program."""

import importlib
import pickle
import re
from typing import Any

import numpy
import torch


def load(files: dict[str, str], architecture: str | None, seed: int | None = None) -> Any:
    """Return the module in inference mode.

    A state dict is loaded with ``weights_only``, so that no code of the pickle runs. With a
    ``seed`` the architecture's weights are drawn from it.
    """
    if "torchscript" in files:
        return torch.jit.load(files["torchscript"], map_location="cpu").eval()
    if "exported" in files:
        return torch.export.load(files["exported"]).module()
    assert architecture is not None
    make = _architecture(architecture)
    if seed is not None:
        # For what else the module may draw: its own initial weights differ between versions.
        torch.manual_seed(seed)
        return _drawn(make(), seed).eval()
    module = make()
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


def _drawn(module: Any, seed: int) -> Any:
    """Draw a module's parameters, as ``draw_weights`` does for Caffe: the same in any version.

    Weights keep the variance through a ReLU (He and others, arXiv:1502.01852); what has one axis is
    distinct, around 0 for biases and around 1 for the weights of norms.
    """
    source = numpy.random.RandomState(seed)
    for name, parameter in module.named_parameters():
        shape = tuple(parameter.shape)
        if len(shape) > 1:
            drawn = (2 * source.random_sample(shape) - 1) * (6 / numpy.prod(shape[1:])) ** 0.5
        else:
            middle = 0.0 if name.endswith("bias") else 1.0
            drawn = middle + source.permutation(numpy.linspace(-0.1, 0.1, parameter.numel()))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(drawn.reshape(shape)))
    return module


def _architecture(name: str) -> Any:
    package, _, function = name.partition(":")
    if not function:
        package, function = f"architectures.{name}", name
    try:
        return getattr(importlib.import_module(package), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"Cannot import the architecture {name!r}: {error}.") from None
