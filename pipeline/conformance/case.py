"""Elements of a conformance case: bytes placed in memory, and steps that use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

# The label of the first address beyond the guest's memory.
END = "end of memory"


@dataclass(frozen=True)
class At:
    """The address of placed bytes plus an offset; a u32 that wraps."""

    label: str
    offset: int = 0


@dataclass(frozen=True)
class LoadU32:
    """The little-endian u32 at placed bytes at the time of a step, such as a handle."""

    label: str


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
    """A call of wasi-nn, the expected errnos, and those that are unsafe.

    ``needed`` ends the guest on any other errno, as later steps depend on the call.
    """

    function: str
    arguments: Sequence[int | At | LoadU32]
    expected: tuple[int, ...]
    unsafe: tuple[int, ...] = ()
    needed: bool = False


@dataclass(frozen=True)
class ExpectBytes:
    """The expected bytes at a place; others are unsafe, or merely differ."""

    label: str
    expected: bytes
    what: str
    offset: int = 0
    unsafe: bool = True


@dataclass(frozen=True)
class Write:
    """Bytes that the guest writes over placed ones."""

    label: str
    data: bytes


@dataclass(frozen=True)
class Print:
    """A line that the guest prints: 1 is stdout, 2 stderr."""

    stream: int
    text: str


@dataclass(frozen=True)
class Exit:
    """Exit by proc_exit."""

    code: int


@dataclass(frozen=True)
class SkipUnlessSuccess:
    """Exit without failure unless the last call returned errno 0.

    For steps that need a call which the host may legitimately reject.
    """


Step = DataSegment | Call | ExpectBytes | Write | Print | Exit | SkipUnlessSuccess


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The expected exit code and output of the guest's process."""

    exit_code: int = 0
    stdout: str = "ok\n"
    stderr: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One conformance test by one guest; ``rule`` says in a sentence what conforms.

    ``graphs`` are the names that the host must provide. ``memory`` is whether the guest exports its
    memory; without it the guest cannot print, so the host may reject it, or return errno 3, on
    which the guest exits with code 0.
    """

    name: str
    rule: str
    steps: Sequence[Step]
    graphs: Sequence[str] = ()
    ending: Ending = Ending()
    memory: bool = True


class Verdict(Enum):
    """The verdict of a case on a host.

    ``differs`` is another result than expected, or a trap of the guest, without risk; ``unsafe`` is
    a host that crashes, hangs, exposes bytes that are not the guest's, writes where it must not,
    aliases the guest's memory, or reports success for an invalid call.
    """

    CONFORMS = "conforms"
    DIFFERS = "differs"
    UNSAFE = "unsafe"
