"""Run a snippet in another Python process, so that a crash or hang while importing stays there."""

from __future__ import annotations

import subprocess

from pipeline.child_python.commands import text_command
from pipeline.scratch import scratch_folder
from pipeline.telemetry import PREAMBLE

_SECONDS = 60.0


class ProbeError(Exception):
    """The snippet failed; the text is the last line of its stderr."""


def probe(program: str) -> str:
    """Return what a Python snippet prints, run from an empty folder; raises ProbeError."""
    with scratch_folder() as folder:
        try:
            done = subprocess.run(
                text_command(PREAMBLE + program),
                cwd=folder,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise ProbeError(f"no answer in {_SECONDS:g} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        ended = f"ended with exit status {done.returncode}"
        raise ProbeError(lines[-1] if lines and done.returncode > 0 else ended)
    return done.stdout
