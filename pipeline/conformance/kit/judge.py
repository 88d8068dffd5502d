"""Judge a host by how its guest ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.conformance.kit.cases import KitCase

LEVELS = ("safety", "spec", "extension", "choice")
CONFORMS, OTHER, ABSENT = "conforms", "another answer", "not offered"
DIFFERS, UNSAFE = "differs", "unsafe"
VERDICTS = (CONFORMS, OTHER, ABSENT, DIFFERS, UNSAFE)
# A guest that cannot print exits with 64 and the errno.
MUTE_EXIT = 64
_SHOWN = 160
# Exit codes by which a shell or a container reports a signal, and Windows a fault.
_SIGNAL_CODES, _WINDOWS_FAULT = {132, 134, 135, 136, 137, 139}, 0xC0000000
_CRASH = re.compile(
    r"(?:panicked at|Segmentation fault|core dumped|terminate called|AddressSanitizer"
    r"|Traceback \(most recent call last\)|Assertion .* failed|stack smashing).*"
)
# What says that the guest trapped, and not the host; and that a function is not defined.
_TRAP = re.compile(r"wasm (?:trap|backtrace)|^Exception: |failed to run main module", re.M)
_NO_IMPORT = re.compile(r"(?:unknown|unlinked|undefined|unresolved|missing) import|link import")
_GUEST = re.compile(
    r"(?:ok|end|returned|to stdout)$|(?:differs|unsafe|not offered|may trap|choice): "
)


class Ended(NamedTuple):
    """How a host's process ended; a negative exit code is a signal."""

    exit_code: int
    stdout: str
    stderr: str


class Result(NamedTuple):
    """The verdict on a case, and what was found; ``answer`` is the part that the guest reported."""

    case: KitCase
    verdict: str
    found: str = ""
    answer: str = ""
    seconds: float = 0.0

    def fails(self, levels: Sequence[str]) -> bool:
        """Whether it counts as a failure: what is unsafe is so on every level."""
        if self.verdict == UNSAFE:
            return True
        if self.verdict == OTHER:
            return "choice" in levels
        return self.verdict == DIFFERS and self.case.level in levels


def judge(case: KitCase, ended: Ended | None) -> tuple[str, str, str]:
    """Return the verdict on how a host ended, what was found, and what the guest reported.

    ``ended`` is None for a host that ran longer than its time limit.
    """
    if ended is None:
        return UNSAFE, "the host hangs", ""
    crash = _crash(ended)
    if crash:
        return UNSAFE, f"the host crashes: {crash}", ""
    lines = [line for line in ended.stdout.splitlines() if _GUEST.match(line)]
    for verdict in (UNSAFE, DIFFERS, ABSENT):
        marked = [line for line in lines if line.startswith(f"{verdict}: ")]
        if marked:
            found = _shown(marked[0].partition(": ")[2])
            return verdict, found, found
    if not case.memory and 0 <= ended.exit_code - MUTE_EXIT <= 8:
        errno = ended.exit_code - MUTE_EXIT
        found = f"load returned {errno}"
        return (OTHER, f"{found}, advised 3", found) if errno else (UNSAFE, found, found)
    if not case.memory:
        return CONFORMS, "", ""
    # What it prints on a host that conforms may depend on the host's answers.
    printed = (case.stdout or "ok").strip().splitlines()[-1]
    if ended.exit_code == case.exit_code and printed in ended.stdout.splitlines():
        return _advised(case, ended)
    if lines and lines[-1].startswith("may trap: ") and ended.exit_code:
        return CONFORMS, "", ""
    if lines and lines[-1] == printed:
        found = f"exit code {ended.exit_code}, expected {case.exit_code}"
        return DIFFERS, found, found
    text = f"{ended.stderr}\n{ended.stdout}"
    if case.level == "extension" and _NO_IMPORT.search(text):
        return ABSENT, _reason(ended), ""
    return DIFFERS, f"the host ends the guest: {_reason(ended)}", ""


def _advised(case: KitCase, ended: Ended) -> tuple[str, str, str]:
    lines = ended.stderr.splitlines()
    if case.exit_code and "to stderr" not in lines:
        return DIFFERS, "stderr lacks the guest's output", ""
    choices = [line[len("choice: ") :] for line in lines if line.startswith("choice: ")]
    printed = "\n".join(map(_of_host, (ended.stderr, ended.stdout)))
    missing = [text.split("|")[0] for text in case.says if not re.search(text, printed, re.I)]
    if missing:
        choices.append(f"what the host prints does not name {' and '.join(missing)}")
    found = _shown("; ".join(dict.fromkeys(choices)))
    return (OTHER, found, found) if choices else (CONFORMS, "", "")


def _crash(ended: Ended) -> str:
    text = f"{ended.stderr}\n{_of_host(ended.stdout)}"
    crash = _CRASH.search(text)
    if crash:
        after = text[crash.end() :].strip().splitlines()
        return _shown(f"{crash[0].strip()} {after[0].strip() if after else ''}")
    if ended.exit_code < 0:
        return f"signal {-ended.exit_code}"
    if ended.exit_code >= _WINDOWS_FAULT:
        return f"exit code {ended.exit_code:#x}"
    # Some hosts use 134 for a trap of the guest, and say so.
    if ended.exit_code in _SIGNAL_CODES and not _TRAP.search(text):
        return f"exit code {ended.exit_code}"
    return ""


def _of_host(stdout: str) -> str:
    return "\n".join(line for line in stdout.splitlines() if not _GUEST.match(line))


def _reason(ended: Ended) -> str:
    for text in (ended.stderr.partition("Stack backtrace:")[0], _of_host(ended.stdout)):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if lines:
            return _shown(lines[-1])
    return f"exit code {ended.exit_code}"


def _shown(text: str) -> str:
    """Return a text for a terminal, without addresses of the host."""
    text = re.sub(r"0x[0-9a-fA-F]{5,}", "0x…", " ".join(text.split()))
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
