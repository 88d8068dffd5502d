"""A case of a guest that prints its result: its exit code and stdout are what is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pipeline.config.schema import Expect, GuestRun
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import no_progress
from pipeline.host.host import Outcome
from pipeline.verify.sandboxed import role, run_case

_MOST_BYTES = 1 << 20
_SHOWN = 200
_TAIL = 8


def is_printed(expect: Expect) -> bool:
    """Return whether a guest is judged by what it prints, rather than by files that it writes."""
    return expect.stdout is not None or expect.exit is not None


def unmet_printing(
    guest: Path,
    model: Sequence[Path],
    given: Iterable[Path],
    case: str,
    run: GuestRun,
    expect: Expect,
    scratch: Path,
    where: str,
    on_message: Callable[[str], None] = no_progress,
) -> list[PipelineError]:
    """Run a guest in the sandbox; return an error for each part of the expectation it misses.

    It gets the same files, and the case as its argument. A guest that is expected to succeed must
    have run an inference. Raises PipelineError, as ``Host.run`` does.
    """
    outcome, _, streams = run_case(guest, model, given, [case], run, 0, scratch, on_message)
    with streams.stdout.open("rb") as stream:
        printed = stream.read(_MOST_BYTES + 1).decode(errors="replace")
    with streams.stderr.open("rb") as stream:
        complained = stream.read(_MOST_BYTES).decode(errors="replace").splitlines()[-_TAIL:]
    said = [*complained, *outcome.messages[-_TAIL:]]
    return [*_unmet(role(guest), outcome, printed, said, expect, where)]


def _unmet(
    guest: str, outcome: Outcome, printed: str, said: Sequence[str], expect: Expect, where: str
) -> Iterable[PipelineError]:
    exit_code = expect.exit or 0
    if outcome.exit_code != exit_code:
        yield PipelineError(
            Code.VERIFY,
            f"The {guest} exits with another code than the config expects.",
            where=where,
            expected=f"exit code {exit_code}",
            found=f"exit code {outcome.exit_code}",
            hint="See the output of the guest and of the host below." if said else "",
            detail="\n".join(line[:_SHOWN] for line in said),
        )
    elif exit_code == 0 and not outcome.succeeded.get("compute"):
        yield PipelineError(
            Code.VERIFY,
            f"The {guest} succeeded without a single compute.",
            where=where,
            hint="The guest must run the inference. If it is to fail, expect its exit code.",
        )
    if expect.stdout is None:
        return
    ours, theirs = (text.rstrip("\r\n").splitlines() for text in (expect.stdout, printed))
    if ours != theirs:
        number = next(
            (n for n, (one, two) in enumerate(zip(ours, theirs, strict=False)) if one != two),
            min(len(ours), len(theirs)),
        )
        yield PipelineError(
            Code.VERIFY,
            f"The {guest} prints another line {number + 1} than the config expects.",
            where=where,
            expected=_line(ours, number),
            found=_line(theirs, number),
            detail="\n".join(line[:_SHOWN] for line in theirs[:_TAIL]),
        )


def _line(lines: Sequence[str], number: int) -> str:
    return ascii(lines[number][:_SHOWN]) if number < len(lines) else "no such line"
