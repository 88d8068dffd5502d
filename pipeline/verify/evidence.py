"""The results of a verification on this machine, as they are stored."""

from __future__ import annotations

import msgspec

from pipeline.verify.compare import Difference
from pipeline.verify.tolerance import Tolerance

# The name of a verified case's report in its folder.
REPORT = "report.json"


class GoldenResult(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement with an independent executor of the source model, output by output.

    The executor answered the case again with nothing but rounding changed. An element is to be
    within ``factor`` times what its outputs moved by, and a few units in the last place.
    """

    executor: str
    """The runtime that ran the source model."""
    version: str
    """The version of that runtime."""
    factor: float
    """How many times the noise floor an element may be off."""
    ulps: int
    """How many units in the last place of the output's scale it may be off in addition."""
    draws: int
    """How many times the executor ran with its input moved."""
    tolerance: Tolerance
    """What widens the measured bound."""
    outputs: dict[str, Difference]
    """How far each output was off."""


class RankedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the largest values of the judged output."""

    index: int
    """Its place in the flattened output."""
    label: str
    """The name of the class, where there is one."""
    value: float
    """The value."""
    bound: float = 0.0
    """How far any element of the output may be from the source framework's."""
    place: tuple[int, ...] = ()
    """Its index on each axis, where several axes have more than one element."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the outputs come from: their last digits depend on it."""

    system: str
    """The operating system."""
    processor: str
    """The processor, as OpenVINO names it."""
    python: str
    """The version of Python."""
    openvino: str
    """The version of OpenVINO."""
    wasmtime: str
    """The version of wasmtime."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One verified case: the file REPORT in the folder evidence/CASE."""

    case: str
    """The case."""
    native_equal: bool
    """Whether the guest's bytes equal those of the separate native process."""
    printed: bool = False
    """Whether what the guest printed and its exit code were checked instead of its bytes."""
    component_equal: bool = False
    """Whether the guest's component gave the same; False where the fixture has none."""
    golden: GoldenResult
    """How the outputs agree with the source framework."""
    top: tuple[RankedValue, ...]
    """The largest values of the compared output, largest first."""
    expected: str
    """What the config expects, in words."""
    outputs: dict[str, str]
    """The SHA-256 of each raw output here."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """The SHA-256 of each other file here, by its path in the folder (since manifest version 5)."""
    seconds: dict[str, float]
    """The wall times of the checks."""
    machine: Machine
    """The machine."""
