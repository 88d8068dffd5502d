"""The content of the HTML report: each fixture of the configs, with the state of its steps."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.cache.history import FailureRecord, History
from pipeline.cache.json_decoding import convert_value
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action, Job
from pipeline.execution.builder import WORKER_MEMORY, Builder
from pipeline.execution.executor import Executor
from pipeline.graph.step_graph import StepGraph
from pipeline.report.html import facts
from pipeline.report.html.draw import draw
from pipeline.report.html.drawing_cache import drawing
from pipeline.report.html.drawings import Drawings
from pipeline.report.html.gather_facts import gather, gather_guest
from pipeline.report.html.page import render
from pipeline.report.html.run_log import Failure, RunLog, last_run
from pipeline.report.html.subject import GuestSubject, Subject
from pipeline.verify.failed_case import FailedCase

_DRAW_SECONDS = 120.0
_DRAW_TOOLS = ("numpy", "pillow", "opencv-python-headless", "openvino")
_AT_ONCE = 4


@dataclass(frozen=True)
class Reports:
    """Makes reports of one project; ``events`` is the folder of the event logs."""

    graph: StepGraph
    builder: Builder
    history: History
    workers: Executor
    events: Path

    def write(self, target: Path, known: Collection[str] = ()) -> Path:
        """Write the page, whole or not at all, and return where; raises PipelineError (STORAGE)."""
        page = self.page(known).encode("utf-8", "backslashreplace")
        try:
            write_bytes(target, page)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "The report cannot be written.",
                where=str(target),
                found=error.strerror or str(error),
                hint="Check owner and mode, or name another file: doit report -o FILE",
            ) from None
        return target

    def page(self, known: Collection[str] = ()) -> str:
        """Return the page as it stands now; the steps ``known`` are up to date.

        The page lists what cannot be drawn.
        """
        failed = self._failed(known)
        run = self._without_resolved(last_run(self.events), known)
        first = self._first_failed(failed)
        subjects = [
            self._subject(manifest, run, failed, first, known)
            for manifest in self.graph.of_kind("manifest")
        ]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            drawn = list(threads.map(self._drawn, subjects))
        problems = [problem for _, problem in drawn if problem]
        every = [
            gather(subject, found) for subject, (found, _) in zip(subjects, drawn, strict=True)
        ]
        order = list(facts.State)
        shown = sorted(
            (each for each in every if each.state is not facts.State.ABSENT),
            key=lambda each: (order.index(each.state), each.name),
        )
        used: dict[str, list[str]] = {}
        for each in shown:
            used.setdefault(each.guest, []).append(each.name)
        return render(
            facts.Report(
                project=self.graph.configs.root.name,
                written=time.time(),
                run=run,
                failures=tuple(_failures(run, failed)),
                fixtures=tuple(shown),
                absent=tuple(each for each in every if each.state is facts.State.ABSENT),
                guests=tuple(gather_guest(guest) for guest in self._guests(used)),
                problems=tuple(problems),
            )
        )

    def _failed(self, known: Collection[str]) -> dict[str, FailureRecord]:
        """Return the steps that failed when they were last tried, and are not up to date since."""
        found = {
            step: failed
            for step in self.graph.steps
            if step not in known and (failed := self.history.last_failure(step)) is not None
        }
        return {step: failed for step, failed in found.items() if not self._is_current(step)}

    def _without_resolved(self, run: RunLog | None, known: Collection[str]) -> RunLog | None:
        """Return the run without what it did not do and was built since."""
        if run is None:
            return None

        def unresolved(step: str) -> bool:
            return step not in known and not (step in self.graph.steps and self._is_current(step))

        return replace(
            run,
            failures=tuple(each for each in run.failures if unresolved(each.step)),
            blocked=tuple(each for each in run.blocked if unresolved(each.step)),
        )

    def _subject(
        self,
        manifest: Action,
        run: RunLog | None,
        failed: Mapping[str, FailureRecord],
        first: Mapping[str, str],
        known: Collection[str],
    ) -> Subject:
        graph, layout = self.graph, self.graph.layout
        name = manifest.fixture
        fixture = graph.configs.fixtures[name]
        verified = {case: graph.step("verify", name, case) for case in fixture.tensor}
        some = next(iter(verified.values()))
        own = self._own[name]
        judged = [manifest.name, *(action.name for action in verified.values())]
        blocked = {each.step: f"needs {each.reason}" for each in run.blocked} if run else {}
        current = {step for step in judged if step in known or self._is_current(step)}
        waiting = {
            step: f"needs {first[step]}, which failed last time"
            for step in judged
            if step in first.keys() - failed.keys() - current and self._tried(name)
        }
        return Subject(
            name=name,
            config=fixture,
            folder=layout.artifacts / name,
            sources={
                label.removeprefix("source."): path
                for label, path in manifest.inputs.items()
                if label.startswith("source.")
            },
            xml=some.inputs["xml"],
            weights=some.inputs["bin"],
            interface=some.inputs["interface"],
            tensors={
                case: {
                    label.removeprefix("tensor."): path
                    for label, path in action.inputs.items()
                    if label.startswith("tensor.")
                }
                for case, action in verified.items()
            },
            evidence={
                case: action.evidence for case, action in verified.items() if action.evidence
            },
            accuracy={
                label: graph.step("accuracy", name, label).outputs["report"]
                for label, dataset in fixture.dataset.items()
                if dataset.accuracy is not None
            },
            drawn=layout.step(name, "drawn"),
            verify_steps={case: action.name for case, action in verified.items()},
            current=current - {manifest.name},
            complete=manifest.name in current,
            failed={step: failed[step].message for step in own if step in failed},
            blocked={
                **waiting,
                **{step: reason for step, reason in blocked.items() if step in own},
            },
            failures=dict(_failed_cases(verified, failed)),
        )

    def _tried(self, name: str) -> bool:
        """Tell whether a plain run builds a fixture, or any of its steps was made here."""
        default = self.graph.configs.fixtures[name].default
        return default or any(self.history.last_build(step) for step in self._own[name])

    def _first_failed(self, failed: Mapping[str, FailureRecord]) -> Mapping[str, str]:
        """Return for each step that failed or needs one that did the first such on its way."""
        first: dict[str, str] = {}
        for name, action in self.graph.steps.items() if failed else ():
            needed = self.graph.needed(action)
            found = name if name in failed else next((first[n] for n in needed if n in first), "")
            if found:
                first[name] = found
        return first

    @cached_property
    def _own(self) -> Mapping[str, list[str]]:
        """Return the steps of each fixture."""
        own: dict[str, list[str]] = {name: [] for name in self.graph.configs.fixtures}
        for action in self.graph.steps.values():
            if action.fixture in own:
                own[action.fixture].append(action.name)
        return own

    def _is_current(self, step: str) -> bool:
        action = self.graph.steps[step]
        # Most of what is not built has no output at all, and then there is nothing to hash.
        if not all(path.exists() for path in action.outputs.values()):
            return False
        try:
            return self.builder.is_current(action)
        except (PipelineError, OSError):
            return False

    def _drawn(self, subject: Subject) -> tuple[Drawings | None, str]:
        cache = self.builder.cache
        try:
            with cache.temporary.folder() as folder:
                return drawing(
                    subject, cache.digests.digest, self._draw, cache.temporary.atomic_write, folder
                ), ""
        except PipelineError as error:
            return None, f"{subject.name} could not be drawn: {error.message}"
        except OSError as error:
            return None, f"{subject.name} could not be drawn: {error.strerror or error}"
        except Exception as error:  # A bug in one drawing must not prevent the page.
            return None, f"{subject.name} could not be drawn: {type(error).__name__}: {error}"

    def _draw(self, job: Job) -> None:
        self.workers.run(draw, job, seconds=_DRAW_SECONDS, memory=WORKER_MEMORY, tools=_DRAW_TOOLS)

    def _guests(self, used: dict[str, list[str]]) -> Iterator[GuestSubject]:
        for step in self.graph.of_kind("guest"):
            name, outputs = step.label, step.outputs
            guest = self.graph.configs.guests[name]
            if name in used or outputs["wasm"].exists():
                yield GuestSubject(
                    name=name,
                    language=guest.language,
                    description=guest.description,
                    wasm=outputs["wasm"],
                    imports=outputs["imports"],
                    used_by=tuple(used.get(name, ())),
                )


def _failed_cases(
    verified: Mapping[str, Action], failed: Mapping[str, FailureRecord]
) -> Iterator[tuple[str, FailedCase]]:
    """Yield the outputs of each failed case, if they were recorded and can be read."""
    for case, action in verified.items():
        if action.name in failed:
            with suppress(msgspec.MsgspecError, RecursionError):
                yield case, convert_value(failed[action.name].evidence, FailedCase)


def _failures(run: RunLog | None, failed: Mapping[str, FailureRecord]) -> Iterator[Failure]:
    """Yield what failed in the run, then what failed before it and was not made since."""
    shown = {each.step for each in run.failures} if run else set()
    yield from run.failures if run else ()
    for step, each in failed.items():
        if step not in shown:
            yield Failure(step=step, code=each.code, message=each.message, earlier=True)
