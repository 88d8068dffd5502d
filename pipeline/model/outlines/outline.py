"""A model's inputs and outputs as its own files tell them, with what they leave open."""

from __future__ import annotations

import msgspec


class Step(msgspec.Struct, frozen=True):
    """Arithmetic that the model itself does to an input first: an operation with constants.

    ``operation`` is add, subtract, multiply or divide; ``values`` is one number, or one for each
    channel.
    """

    operation: str
    values: tuple[float, ...]


class Border(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output: its name, element type, and shape.

    An axis of None may have any size; a shape of None says nothing at all. ``scale`` and
    ``zero_point`` are those of a quantised tensor. ``indices`` is how many numbers an input of
    indices may choose from, where it looks rows of a table up. ``steps`` are what the model
    does first.
    """

    name: str
    type: str
    shape: tuple[int | None, ...] | None
    scale: float | None = None
    zero_point: int | None = None
    indices: int | None = None
    steps: tuple[Step, ...] = ()


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs of a model; ``outputs`` are those that its files name.

    ``quantised`` tells that it computes in whole numbers inside. ``label`` is what the form of the
    file is called, where its framework has several: ``torchscript`` or ``weights``.
    """

    inputs: tuple[Border, ...]
    outputs: tuple[Border, ...] = ()
    quantised: bool = False
    label: str = ""
