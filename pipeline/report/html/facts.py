"""What the report says, as values: everything that the page shows, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from pipeline.report.html.drawn import Given, Output
from pipeline.report.html.run import Failure, Run
from pipeline.verify.failure import FailedCase


class State(Enum):
    """How a fixture stands, as the page words it; the worst first."""

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
    """One of the largest values; ``share`` is its part of the largest, 0 to 1."""

    index: int
    label: str
    value: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The three checks of a case, each as its evidence has them."""

    native_equal: bool
    executor: str
    version: str
    factor: float
    ulps: int
    reason: str
    distances: tuple[Distance, ...]
    expected: str
    wanted: float | None
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
        """Tell whether every output agrees with the source framework."""
        return all(each.agrees for each in self.distances)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: what goes in, what came out, and the checks; ``problem`` where those are none.

    ``failure`` is what came out where the case failed.
    """

    name: str
    inputs: tuple[Given, ...]
    outputs: tuple[Output, ...]
    files: dict[str, str]
    checks: Checks | None
    problem: str
    failed: bool
    failure: FailedCase | None = None


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of the model."""

    name: str
    type: str
    shape: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """The model: sizes in bytes, None for what is not there or could not be read."""

    framework: str
    precision: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    before: int | None
    after: int | None
    layers: int | None = None
    kinds: tuple[tuple[str, int], ...] = ()
    parameters: tuple[tuple[str, int], ...] = ()
    macs: int | None = None
    uncounted: tuple[str, ...] = ()
    unread: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file from elsewhere."""

    name: str
    license: str
    url: str
    homepage: str
    size: int | None
    sha256: str


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the fixture's folder; ``names`` are all that have these bytes."""

    names: tuple[str, ...]
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """What share of a dataset's pictures was classified right, 0 to 1."""

    dataset: str
    pictures: int
    skipped: int
    top1: float
    top5: float


@dataclass(frozen=True, kw_only=True)
class Fixture:
    """One fixture."""

    name: str
    description: str
    state: State
    troubles: tuple[tuple[str, str], ...]
    cases: tuple[Case, ...]
    model: Model
    guest: str
    guest_load: str
    sources: tuple[Source, ...]
    files: tuple[File, ...]
    commands: tuple[tuple[str, str], ...]
    tools: tuple[tuple[str, str], ...]
    accuracies: tuple[Accuracy, ...]


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A guest program; ``size`` in bytes, None where it is not built."""

    name: str
    language: str
    description: str
    size: int | None
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    used_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole page; ``fixtures`` has those that were tried, ``absent`` the others."""

    project: str
    written: float
    run: Run | None
    failures: tuple[Failure, ...]
    fixtures: tuple[Fixture, ...]
    absent: tuple[Fixture, ...]
    guests: tuple[Guest, ...]
    problems: tuple[str, ...] = field(default=())
