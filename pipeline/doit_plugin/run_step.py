"""One step of a run: brought up to date, and what became of it kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from doit.exceptions import TaskFailed

from pipeline.cache.history import FailureRecord, History
from pipeline.doit_plugin.step_faults import forked_error, internal_error
from pipeline.errors import Code, PipelineError
from pipeline.execution.builder import Builder, BuildOutcome
from pipeline.execution.planner import why
from pipeline.execution.progress import Progress
from pipeline.graph.source_locations import source_location
from pipeline.graph.step_graph import StepGraph
from pipeline.report.events import (
    EventLog,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepProgress,
    StepStarted,
)

_SHOW_SECONDS = 1.0


@dataclass(frozen=True)
class Running:
    """Runs the steps of one project; ``process`` is the one that may, ``show`` shows progress."""

    root: Path
    process: int
    project: StepGraph
    builder: Builder
    history: History
    events: EventLog
    show: Callable[[str, str, Progress | None], None]
    _shown: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, *, force: bool, may_skip: bool) -> TaskFailed | dict[str, str]:
        """Bring a step up to date; return what doit keeps of it, or how it failed.

        ``force`` runs the recipe whatever is there. With ``may_skip`` a compiler that is missing
        is no failure.
        """
        if os.getpid() != self.process:
            return TaskFailed(forked_error().render())
        action = self.project.steps[name]
        reasons = why(self.builder, self.history, action) or ("it was asked for anew",)
        self.events.write(StepStarted(step=name, thread=self.events.thread(), reasons=reasons))
        try:
            self.project.note_published(action)
            outcome = self.builder.build(
                action,
                lambda text, amount=None: self._progress(name, text, amount),
                force=force,
            )
        except PipelineError as error:
            place = source_location(self.root, name)
            error.where = f"{error.where}; declared in {place}" if error.where else place
            if error.code is Code.TOOLCHAIN and may_skip:
                self.events.write(StepBlocked(step=name, reason=error.message))
                return {"outcome": "skipped", "error": error.render()}
            return self._failed(name, error)
        except Exception as error:
            return self._failed(name, internal_error(action, error))
        return self._finished(name, outcome)

    def _finished(self, name: str, outcome: BuildOutcome) -> dict[str, str]:
        made = self.history.last_build(name)
        record = self.builder.cache.records.get(made.key) if made else None
        if made is not None and record is not None:
            outputs = {
                f"{label}{member}": digest.sha256
                for label, members in record.outputs.items()
                for member, digest in members.items()
            }
            self.events.write(
                StepFinished(
                    step=name,
                    outcome=outcome.value,
                    seconds=made.seconds,
                    key=made.key,
                    outputs=outputs,
                )
            )
        return {"outcome": outcome.value}

    def _progress(self, name: str, text: str, amount: Progress | None) -> None:
        self.show(name, text, amount)
        now = time.monotonic()
        if now - self._shown.get(name, 0.0) >= _SHOW_SECONDS:
            self._shown[name] = now
            self.events.write(StepProgress(step=name, text=text, amount=amount))

    def _failed(self, name: str, error: PipelineError) -> TaskFailed:
        self.events.write(
            StepFailed(
                step=name,
                code=error.code.value,
                message=error.message,
                where=error.where,
                expected=error.expected,
                found=error.found,
                hint=error.hint,
                detail=error.detail,
            )
        )
        failed = FailureRecord(
            code=error.code.value,
            message=error.message,
            when=time.time(),
            evidence=error.evidence,
        )
        self.history.record_failure(name, failed)
        return TaskFailed(error.render())
