"""A model's inputs and outputs as stated by its files; unknown parts are None."""

from __future__ import annotations

import msgspec


class PreprocessingStep(msgspec.Struct, frozen=True):
    """Arithmetic with constants that the model itself applies first to an input.

    ``operation`` is add, subtract, multiply or divide; ``values`` has one number, or one per
    channel.
    """

    operation: str
    values: tuple[float, ...]


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output: its name, element type and shape.

    An axis of None is dynamic; a shape of None is unknown. ``scale`` and ``zero_point`` are those
    of a quantised tensor. ``indices`` is the number of rows of the table that an input of indices
    selects from. ``steps`` is the model's own preprocessing.
    """

    name: str
    type: str
    shape: tuple[int | None, ...] | None
    scale: float | None = None
    zero_point: int | None = None
    indices: int | None = None
    steps: tuple[PreprocessingStep, ...] = ()


class ModelInterface(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs of a model; ``outputs`` has those that its files name.

    ``quantised`` is set if it computes in integers, ``half`` if its weights are f16. ``label`` is
    the kind of file, for frameworks with several: ``torchscript`` or ``weights``.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...] = ()
    quantised: bool = False
    half: bool = False
    label: str = ""
