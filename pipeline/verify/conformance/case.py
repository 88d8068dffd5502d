"""What a conformance case is made of: bytes that are placed in memory, and steps over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

# The label of the first address behind the guest's memory.
END = "end of memory"


@dataclass(frozen=True)
class At:
    """The address of placed bytes, and so many bytes further; a u32, which wraps."""

    label: str
    offset: int = 0


@dataclass(frozen=True)
class Word:
    """The little-endian u32 that lies at placed bytes when a step is reached, such as a handle."""

    label: str


@dataclass(frozen=True)
class Place:
    """Bytes in the guest's memory from the start; an ``At`` among the parts is its address.

    ``past`` is how many bytes past a multiple of 16 they begin.
    """

    label: str
    parts: Sequence[bytes | At]
    past: int = 0


@dataclass(frozen=True)
class Call:
    """A call of wasi-nn, the errnos that conform, and those that cannot be right.

    ``needed`` ends the guest when the answer is another, since the steps after it make no sense.
    """

    function: str
    arguments: Sequence[int | At | Word]
    expected: tuple[int, ...]
    unsafe: tuple[int, ...] = ()
    needed: bool = False


@dataclass(frozen=True)
class Holds:
    """The bytes that must lie at a place now; others are unsafe, or merely differ."""

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
    """The guest's end by proc_exit."""

    code: int


@dataclass(frozen=True)
class Stop:
    """An end without a failure, where what follows needs an answer that the host need not give.

    It ends the guest when the last call was answered with another errno than 0.
    """


Step = Place | Call | Holds | Write | Print | Exit | Stop


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a host ends the guest's process: its exit code, and what it passed on."""

    exit_code: int = 0
    stdout: str = "ok\n"
    stderr: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question to a host, by one guest; ``asks`` says in a sentence what conforms.

    ``graphs`` are the names that the host must offer. ``memory`` tells whether the guest exports
    its memory; one that does not cannot print, so a host may refuse it or answer 3, by which the
    guest ends with exit code 0.
    """

    name: str
    asks: str
    steps: Sequence[Step]
    graphs: Sequence[str] = ()
    ending: Ending = Ending()
    memory: bool = True


class Verdict(Enum):
    """What a case says of a host.

    ``differs`` is another answer than ours, or the guest's end, where nothing is at risk;
    ``unsafe`` is a host that crashes, hangs, shows bytes that are not the guest's, writes where it
    may not, aliases the guest's memory, or calls success what cannot be right.
    """

    CONFORMS = "conforms"
    DIFFERS = "differs"
    UNSAFE = "unsafe"
