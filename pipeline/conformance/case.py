"""Elements of a conformance case: bytes placed in memory, and steps that use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

# The label of the first address beyond the guest's initial memory.
END = "end of memory"

# The encoding of the cases whose guests are components, which call wasi:nn.
COMPONENT = "component"

# The errnos of wasi-nn.witx other than success.
ERRORS = tuple(range(1, 9))


class Level(Enum):
    """What a case stands on.

    ``safety``: what no host may do, whatever the specification says. ``spec``: a line of the
    specification. ``extension``: functions outside the specification, which a host need not offer.
    ``choice``: the specification leaves it open, and this project recommends one answer.
    """

    SAFETY = "safety"
    SPEC = "spec"
    EXTENSION = "extension"
    CHOICE = "choice"


class Need(Enum):
    """What a case needs of a host besides wasi-nn; a host that lacks it does not offer the case.

    ``preload``: a second module that the guest imports from. ``seconds``: a time limit of a second.
    """

    PRELOAD = "preload"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Basis:
    """The level of a case, the line of the text that it rests on, and the reason for it."""

    level: Level
    source: str
    reason: str


@dataclass(frozen=True)
class At:
    """The address of placed bytes plus an offset; a u32 that wraps."""

    label: str
    offset: int = 0


@dataclass(frozen=True)
class LoadU32:
    """The little-endian u32 at placed bytes at the time of a step, such as a handle."""

    label: str
    offset: int = 0


@dataclass(frozen=True)
class DataSegment:
    """Initial bytes in the guest's memory; an ``At`` among the parts is its address.

    ``misalignment`` is the misalignment: the offset from a multiple of 16.
    """

    label: str
    parts: Sequence[bytes | At]
    misalignment: int = 0


@dataclass(frozen=True)
class Call:
    """A call of wasi-nn, the errnos that conform, and those that are unsafe.

    Of those that conform, ``advised`` are recommended (empty: all); another is reported without
    failing. ``needed`` ends the guest on any other errno, as later steps depend on the call.
    ``may_trap``: a trap conforms as well.
    """

    function: str
    arguments: Sequence[int | At | LoadU32]
    expected: tuple[int, ...]
    unsafe: tuple[int, ...] = ()
    advised: tuple[int, ...] = ()
    needed: bool = False
    may_trap: bool = False

    @property
    def must_trap(self) -> bool:
        """Whether nothing else than a trap conforms."""
        return self.may_trap and not self.expected


@dataclass(frozen=True)
class ExpectBytes:
    """The expected bytes at a place; others are unsafe, or merely differ."""

    label: str
    expected: bytes
    what: str
    offset: int = 0
    unsafe: bool = True


@dataclass(frozen=True)
class ExpectAdvised:
    """Bytes that are recommended at a place; others are reported without failing."""

    label: str
    expected: bytes
    what: str


@dataclass(frozen=True)
class ExpectUnlike:
    """Two placed u32s that must not be equal, such as two handles."""

    label: str
    other: str
    what: str


@dataclass(frozen=True)
class Write:
    """Bytes that the guest writes over placed ones, or behind its initial memory."""

    label: str
    data: bytes
    offset: int = 0


@dataclass(frozen=True)
class Grow:
    """Grow the guest's memory by pages of 64 KiB; the guest ends if it cannot."""

    pages: int


@dataclass(frozen=True)
class ReadArgument:
    """Place the address and the length of the guest's first argument, as two u32s."""

    label: str


@dataclass(frozen=True)
class Print:
    """A line that the guest prints: 1 is stdout, 2 stderr."""

    stream: int
    text: str


@dataclass(frozen=True)
class ReportFailure:
    """A failure that is reported when the step is reached."""

    what: str
    unsafe: bool = False


@dataclass(frozen=True)
class Exit:
    """Exit by proc_exit."""

    code: int


@dataclass(frozen=True)
class SkipUnlessSuccess:
    """Skip the remaining steps unless the last call returned errno 0.

    For steps that need a call which the host may legitimately reject.
    """


@dataclass(frozen=True)
class OnSuccess:
    """Steps that are run only if the last call returned errno 0."""

    steps: Sequence[Step]


@dataclass(frozen=True)
class CallSecond:
    """Run the second instance; results that it finds wrong are reported as unsafe."""

    what: str


@dataclass(frozen=True)
class Forever:
    """Steps that are run again and again."""

    steps: Sequence[Step]


Step = (
    DataSegment
    | Call
    | ExpectBytes
    | ExpectAdvised
    | ExpectUnlike
    | Write
    | Grow
    | ReadArgument
    | Print
    | ReportFailure
    | Exit
    | SkipUnlessSuccess
    | OnSuccess
    | CallSecond
    | Forever
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One conformance test by one guest; ``rule`` says in a sentence what conforms.

    ``graphs`` are the names that the host must provide. ``arguments`` are the guest's, in which
    ``{models}`` is the folder of the named graphs. ``memory`` is whether the guest exports its
    memory; without it the guest cannot print, and reports by its exit code. ``exit_code`` is that
    of a guest whose host conforms. ``second`` are the steps of a second instance. ``says`` are
    patterns that are recommended for what the host prints by itself.
    """

    name: str
    rule: str
    basis: Basis
    steps: Sequence[Step]
    encoding: str = "openvino"
    graphs: Sequence[str] = ()
    arguments: Sequence[str] = ()
    memory: bool = True
    exit_code: int = 0
    need: Need | None = None
    says: Sequence[str] = ()
    second: Sequence[Step] = ()

    @property
    def component(self) -> bool:
        """Whether the guest is a component; its models are OpenVINO's."""
        return self.encoding == COMPONENT

    @property
    def title(self) -> str:
        """The name among all cases: with its encoding, unless that is OpenVINO."""
        return self.name if self.encoding == "openvino" else f"{self.encoding}/{self.name}"


def all_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with those inside others, flat and in order."""
    flat: list[Step] = []
    for step in steps:
        flat.append(step)
        if isinstance(step, (OnSuccess, Forever)):
            flat += all_steps(step.steps)
    return flat
