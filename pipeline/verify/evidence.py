"""What a verification found on this machine, in the form in which it is kept."""

from __future__ import annotations

import msgspec

from pipeline.verify.compare import Difference
from pipeline.verify.tolerance import Tolerance


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement with an independent executor of the source model, output by output.

    The executor answered the case again with its input moved by rounding, ``draws`` times. An
    element is to be within ``factor`` times what its outputs moved by, and ``ulps`` units in the
    last place; ``tolerance`` is what widens that.
    """

    executor: str
    version: str
    factor: float
    ulps: int
    draws: int
    tolerance: Tolerance
    outputs: dict[str, Difference]


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One of the largest values of the judged output, and how far it may be off."""

    index: int
    label: str
    value: float
    bound: float = 0.0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the outputs come from: their last digits depend on it."""

    system: str
    processor: str
    python: str
    openvino: str
    wasmtime: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One verified case.

    ``native_equal`` says that the guest's bytes equal those of the separate native process;
    ``outputs`` maps each raw file to its SHA-256 here; ``seconds`` are wall times.
    """

    case: str
    native_equal: bool
    golden: Golden
    top: tuple[Ranked, ...]
    expected: str
    outputs: dict[str, str]
    seconds: dict[str, float]
    machine: Machine
