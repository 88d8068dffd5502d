"""Judge a host by how its guest ended."""

from __future__ import annotations

import re

from pipeline.conformance.case import Case, Verdict
from pipeline.errors import printable
from pipeline.verify.peer_process import PeerRun

# Exit codes that report a signal, and messages of a panic, an uncaught exception, or a sanitizer.
_SIGNAL_CODES = {132, 135, 136, 139}
_WINDOWS_FAULT = 0xC0000000
# Rust appends this to an error; it is not its cause.
_BACKTRACE = "Stack backtrace:"
_CRASH = re.compile(
    r"(?:panicked at|Segmentation fault|core dumped|terminate called|AddressSanitizer"
    r"|Traceback \(most recent call last\)|Assertion .* failed|stack smashing).*"
)
_SHOWN = 160


def judge(case: Case, run: PeerRun | None) -> tuple[Verdict, str]:
    """Return the verdict on a run, None for one that timed out, and what was found."""
    if run is None:
        return Verdict.UNSAFE, "the host hangs"
    crash = _crash(run)
    if crash:
        return Verdict.UNSAFE, f"the host crashes: {crash}"
    lines = run.stdout.splitlines()
    for verdict in (Verdict.UNSAFE, Verdict.DIFFERS):
        mark = f"{verdict.value}: "
        marked = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
        if marked:
            return verdict, _shown(marked[0])
    if not case.memory:
        # Such a guest cannot print: it exits with 1 after any other errno.
        answered = run.exit_code == 1 and not run.stderr.strip()
        return (Verdict.UNSAFE, "the call did not return 3") if answered else (Verdict.CONFORMS, "")
    ending = case.ending
    if run.exit_code == ending.exit_code:
        missing = [
            name
            for name, expected, printed in (
                ("stdout", ending.stdout, run.stdout),
                ("stderr", ending.stderr, run.stderr),
            )
            if expected not in printed
        ]
        if not missing:
            return Verdict.CONFORMS, ""
        return Verdict.DIFFERS, f"{missing[0]} lacks the guest's output"
    if ending.exit_code and ending.stdout in run.stdout:
        return Verdict.DIFFERS, f"exit code {run.exit_code}, expected {ending.exit_code}"
    return Verdict.DIFFERS, f"the host ends the guest: {_last(run)}"


def _crash(run: PeerRun) -> str:
    crash = _CRASH.search(run.stderr)
    if crash:
        after = run.stderr[crash.end() :].strip().splitlines()
        return _shown(f"{crash[0].strip()} {after[0].strip() if after else ''}")
    if run.exit_code < 0:
        return f"signal {-run.exit_code}"
    if run.exit_code in _SIGNAL_CODES or run.exit_code >= _WINDOWS_FAULT:
        return f"exit code {run.exit_code}"
    return ""


def _last(run: PeerRun) -> str:
    printed = run.stderr.partition(_BACKTRACE)[0]
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return _shown(lines[-1]) if lines else f"exit code {run.exit_code}"


def _shown(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
