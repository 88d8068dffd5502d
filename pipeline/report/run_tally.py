"""What became of each step of a run, collected from its events."""

from __future__ import annotations

import time

from pipeline.report.events import (
    Event,
    RunFinished,
    StepBlocked,
    StepCurrent,
    StepFailed,
    StepFinished,
    StepStarted,
)


class RunTally:
    """Subscribes to a run; ``reached`` are the steps that are up to date by now, in order."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._untouched: list[str] = []
        self._ran = 0
        self._blocked = 0
        self._started = False
        self.reached: list[str] = []
        self.failed: set[str] = set()

    def __call__(self, event: Event) -> None:
        """Note what an event says."""
        match event:
            case StepCurrent():
                self.reached.append(event.step)
                self._untouched.append(event.step)
            case StepStarted():
                self._started = True
            case StepFinished():
                self.reached.append(event.step)
                self._ran += 1
            case StepFailed():
                self.failed.add(event.step)
            case StepBlocked():
                self._blocked += 1

    @property
    def changed(self) -> bool:
        """Return whether the run did anything, or could not."""
        return self._started or bool(self.failed) or bool(self._blocked)

    def finished(self, exit_code: int | None = None) -> RunFinished:
        """Return the end of the run; ``exit_code`` is that of a signal, if one ended it.

        Of a run that was not interrupted the exit code is 1 if a step failed.
        """
        return RunFinished(
            exit_code=int(bool(self.failed)) if exit_code is None else exit_code,
            interrupted=exit_code is not None,
            seconds=time.monotonic() - self._begun,
            current=len(self._untouched),
            ran=self._ran,
            failed=len(self.failed),
            blocked=self._blocked,
            untouched=tuple(self._untouched) if self._started else (),
        )
