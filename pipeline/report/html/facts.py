"""The data of the report: every value that the page shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pipeline.report.html.drawings import InputDrawings, OutputDrawings
from pipeline.report.html.run_log import Failure, RunLog
from pipeline.verify.failed_case import FailedCase


class State(Enum):
    """State of a fixture, as shown on the page, in order of severity."""

    FAILED = "failed"
    BLOCKED = "not run"
    UNFINISHED = "unfinished"
    STALE = "out of date"
    VERIFIED = "verified"
    ABSENT = "not built"


@dataclass(frozen=True, kw_only=True)
class Distance:
    """How far an output is from the source framework's, and how far it may be.

    ``distance``, ``floor`` and ``bound`` are of the element that is nearest to its bound, or
    farthest beyond; ``margin`` is the one divided by the other. A ``bound`` of 0 is that of whole
    numbers. ``kernels`` is what int8 kernels lose, None where there are none.
    """

    output: str
    agrees: bool
    distance: float
    floor: float
    bound: float
    margin: float
    cosine: float
    ties: int
    kernels: float | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One of the largest values: its class, or its index on each axis.

    ``share`` is its ratio to the largest, 0 to 1.
    """

    index: int | str
    label: str
    value: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The checks of a case, from its evidence."""

    native_equal: bool
    printed: bool = False
    component_equal: bool = False
    executor: str
    version: str
    factor: float
    ulps: int
    reason: str
    distances: tuple[Distance, ...]
    expected: str
    expected_value: float | None
    within: float | None
    top: tuple[Bar, ...]
    seconds: dict[str, float]
    processor: str
    system: str

    @property
    def nearest(self) -> Distance | None:
        """Return the distance that is nearest to its bound, or farthest beyond it."""
        return max(self.distances, key=lambda each: (not each.agrees, each.margin), default=None)

    @property
    def agrees(self) -> bool:
        """Return whether every output agrees with the source framework."""
        return all(each.agrees for each in self.distances)


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """One case: its inputs, outputs and checks; ``problem`` if it has no checks.

    ``failure`` is the comparison of a failed case's outputs.
    """

    name: str
    inputs: tuple[InputDrawings, ...]
    outputs: tuple[OutputDrawings, ...]
    files: dict[str, str]
    checks: Checks | None
    problem: str
    failed: bool
    failure: FailedCase | None = None


@dataclass(frozen=True, kw_only=True)
class PortFacts:
    """An input or output of the model."""

    name: str
    type: str
    shape: str


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The model: sizes in bytes, None if a file is missing or unreadable."""

    framework: str
    precision: str
    inputs: tuple[PortFacts, ...]
    outputs: tuple[PortFacts, ...]
    before: int | None
    after: int | None
    layers: int | None = None
    kinds: tuple[tuple[str, int], ...] = ()
    parameters: tuple[tuple[str, int], ...] = ()
    unread: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """A fetched file."""

    name: str
    license: str
    url: str
    homepage: str
    size: int | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the fixture's folder; ``names`` are all files with these bytes."""

    names: tuple[str, ...]
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class AccuracyFacts:
    """Accuracy on a dataset's images, 0 to 1."""

    dataset: str
    pictures: int
    skipped: int
    top1: float
    top5: float


@dataclass(frozen=True, kw_only=True)
class FixtureFacts:
    """One fixture."""

    name: str
    description: str
    state: State
    problems: tuple[tuple[str, str], ...]
    cases: tuple[CaseFacts, ...]
    model: ModelFacts
    guest: str
    guest_load: str
    sources: tuple[SourceFacts, ...]
    files: tuple[File, ...]
    commands: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]
    accuracies: tuple[AccuracyFacts, ...]


@dataclass(frozen=True, kw_only=True)
class GuestFacts:
    """A guest program; ``size`` in bytes, None if it is not built."""

    name: str
    language: str
    description: str
    size: int | None
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole page; ``fixtures`` are those that runs have included, ``absent`` the others."""

    project: str
    written: float
    run: RunLog | None
    failures: tuple[Failure, ...]
    fixtures: tuple[FixtureFacts, ...]
    absent: tuple[FixtureFacts, ...]
    guests: tuple[GuestFacts, ...]
    problems: tuple[str, ...] = field(default=())
