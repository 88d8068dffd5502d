"""What dodo.py loads: doit's settings, and a doit task for every step."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit.exceptions import TaskFailed

from pipeline.engine import remembered, state
from pipeline.engine.declared import declared_at
from pipeline.engine.faults import fault, forked
from pipeline.engine.present import announce
from pipeline.engine.registration import check_registered
from pipeline.engine.reporter import Reporter
from pipeline.errors import Code, ConfigErrors, PipelineError
from pipeline.report.console import Console, Volume, open_console
from pipeline.report.events import (
    EventLog,
    StepBlocked,
    StepFailed,
    StepFinished,
    StepProgress,
    StepStarted,
)
from pipeline.store.collect import Collected, collect, note_roots
from pipeline.store.history import Failed, History
from pipeline.work.action import Action, Place
from pipeline.work.amount import Amount
from pipeline.work.build import Builder, Outcome, tool_version
from pipeline.work.executor import Inline
from pipeline.work.limits import byte_count
from pipeline.work.once import Once
from pipeline.work.plan import Foresight, Planned, why
from pipeline.work.pool import Workers
from pipeline.work.process import end_all

if TYPE_CHECKING:
    from pipeline.engine.project import Project
    from pipeline.work.cluster import Cluster

# A conversion holds its worker while it waits for a process of its own, which has the processor.
_WORKERS = max(2, os.cpu_count() or 1)
_THREADS = 4
_SAY_SECONDS = 1.0


class Engine:
    """One project's steps, as doit sees them.

    A config that is wrong ends the process here, with every error and exit code 1, before any
    work starts.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process = os.getpid()
        self._stamp = remembered.stamp_of(root)
        self._place = remembered.place_of(root)
        self._recalled = remembered.recall(root, self._place, self._stamp)
        self._found_current: set[str] = set()
        self._executed = self._closed = False
        self._said: dict[str, float] = {}
        self.spared: set[str] = set()  # of the present run; see spared.py
        self.volume = Volume.USUAL
        self.events = EventLog(root / "artifacts" / ".steps" / "events")
        self.threads = False  # whether steps that may do without a worker process do
        self.workers = Workers(_WORKERS)  # none is started before a step needs one
        self._cluster: Cluster | None = None
        # doit's threads share them; a run with nothing to do is over before they are made.
        self._configured = Once(self._load)
        self._opened = Once(self._open)
        self._shown = Once(lambda: open_console(sys.stdout, self.volume))
        if self._recalled is None:
            _ = self._project
        state.forget_with(self._forget)
        announce(self)

    def _load(self) -> Project:
        from pipeline.engine.storage import check_environment
        from pipeline.work.recipe_code import RecipeCodes

        # Before any recipe is imported, so that no change of one goes unseen.
        codes = RecipeCodes(self._root / "artifacts" / ".steps" / "code")
        # Every recipe hangs on them.
        from pipeline.config.load import load_project
        from pipeline.engine.project import Project

        try:
            configs = load_project(self._root)
            check_environment(configs.project)
            return Project(configs, codes)
        except (ConfigErrors, PipelineError) as error:
            print(error.render(), file=sys.stderr)
            raise SystemExit(1) from None

    def _open(self) -> tuple[Builder, History]:
        from pipeline.engine.storage import open_store

        if self._closed:
            raise PipelineError(Code.STORAGE, "The run has ended.")
        project = self._project
        store = open_store(project.layout, project.configs.project)
        history = History(project.layout.step("history", ""), store.temporary.aside)
        workers = self._cluster or self.workers
        either = Inline() if self.threads else None
        return Builder(store, workers, history, project.codes, either=either), history

    @property
    def _project(self) -> Project:
        return self._configured.get()

    @property
    def _builder(self) -> Builder:
        return self._opened.get()[0]

    @property
    def history(self) -> History:
        """How each step was last made, and how it last failed."""
        return self._opened.get()[1]

    @property
    def console(self) -> Console:
        """Where the run is shown."""
        return self._shown.get()

    def selected(self, names: Sequence[str]) -> list[Action]:
        """Return the named steps and all that they need; see Project.selected."""
        return self._project.selected(names)

    def named(self, names: Sequence[str]) -> list[str]:
        """Return the steps that are meant, without what they need; see Project.named."""
        return self._project.named(names)

    def collect(self, limit: int | None, *, dry: bool) -> Collected:
        """Bring the cache down to ``limit`` bytes, or to the project's own limit.

        Raises PipelineError (STORAGE).
        """
        store, project = self._builder.store, self._project
        # As the configs are now, which need not be how they were when something was last made.
        self._note_roots(each.key for each in self.foresee(list(project.steps.values())))
        most = byte_count(project.configs.project.cache_limit) if limit is None else limit
        try:
            return collect(store, most, partial(print, file=sys.stderr, flush=True), dry=dry)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "The cache cannot be collected.",
                where=str(error.filename or store.folder),
                found=error.strerror or str(error),
            ) from None

    def _note_roots(self, more: Iterable[str | None]) -> None:
        made = (self.history.made(name) for name in self._project.steps)
        keys = {each.key for each in made if each} | {key for key in more if key}
        note_roots(self._builder.store, self._root, keys)

    def _keys_found(self) -> Iterator[str]:
        for name in self._found_current:
            with suppress(PipelineError):
                yield self._builder.key(self._project.steps[name])

    def report(self, target: Path | None = None, known: Collection[str] = ()) -> Path:
        """Write the page for people, with the steps ``known`` up to date; return where it lies.

        Raises PipelineError (STORAGE).
        """
        from pipeline.engine.report import Reports

        parts = self._project, self._builder, self.history, self.workers, self.events.folder
        return Reports(*parts).write(target or self.report_place, known)

    @property
    def report_place(self) -> Path:
        """Return where the page for people lies."""
        return self._root / "artifacts" / "report.html"

    def foresee(self, actions: Sequence[Action]) -> list[Planned]:
        """Return what a run would do with these steps."""
        return Foresight(self._builder, self.history).plan(actions)

    def spread(self, address: str) -> int:
        """Let the steps that need a process run on a Dask cluster; return how many at once.

        Raises PipelineError (CLUSTER) when the cluster cannot be used.
        """
        from pipeline.work.cluster import Cluster

        steps = self._project.steps.values()
        tools = {tool for step in steps if step.place is not Place.THREAD for tool in step.tools}
        self._cluster = Cluster(
            address,
            # The builder, which has the store, is made with the cluster.
            digest=lambda path: self._builder.store.known.digest(path),
            tools=tools,
            local=self.workers,
        )
        return self._cluster.at_once()

    def close(self) -> None:
        """End the workers and every step that is still running."""
        self._closed = True
        end_all()
        if self._cluster is not None:
            self._cluster.close()
        self.workers.close()
        if self._opened.made() is not None:
            if self._found_current or self._executed:
                if not self._executed:
                    self._remember()
                self._note_roots(self._keys_found())
            self._builder.close()

    def settings(self) -> dict[str, Any]:
        """Return DOIT_CONFIG."""
        check_registered(self._root)
        return {
            "backend": "wasi-nn",
            "reporter": Reporter(self),
            # The steps wait for networks and for processes of their own: threads are enough.
            "num_process": _THREADS,
            "par_type": "thread",
            "continue": True,
            "default_tasks": self._recalled.default if self._recalled else self._project.default(),
        }

    def tasks(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the doit tasks of one kind, such as ``source``."""
        steps = self._recalled.steps if self._recalled else self._steps(set())
        for step in steps:
            basename, _, rest = step.name.partition(":")
            if basename == kind:
                yield self._task(step, rest)

    def evidence(self) -> dict[str, Path]:
        """Return where each verification keeps its report, by task name."""
        return self._project.evidence()

    def _steps(self, current: set[str]) -> list[remembered.Step]:
        project = self._project
        return [
            remembered.Step(
                name, action.title, project.shown(action), project.needed(action), name in current
            )
            for name, action in project.steps.items()
        ]

    def _task(self, step: remembered.Step, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "doc": step.title,
            "actions": [(self._execute, [step.name])],
            # No file_dep: doit would keep a second truth beside the records, by MD5 and mtime.
            "uptodate": [True if step.current else (self._is_current, [step.name])],
            "task_dep": step.task_dep,
            "targets": step.targets,
            "clean": [(self._clean, [step.name])],
            # doit's capture swaps sys.stdout for all threads at once.
            "io": {"capture": False},
        }

    def _is_current(self, name: str) -> bool:
        try:
            current = self._builder.is_current(self._project.steps[name])
        except PipelineError:
            return False  # Running it tells the error, at its place.
        if current:
            self._found_current.add(name)
        return current

    def _execute(self, name: str) -> TaskFailed | dict[str, str]:
        self._executed = True
        if os.getpid() != self._process:
            return TaskFailed(forked().render())
        action = self._project.steps[name]
        reasons = why(self._builder, self.history, action) or ("it was asked for anew",)
        self.events.write(StepStarted(step=name, thread=self.events.thread(), reasons=reasons))
        try:
            self._project.note_published(action)
            outcome = self._builder.build(
                action,
                lambda text, amount=None: self._progress(name, text, amount),
                # doit runs a current step only when it was asked to, with `-a`.
                anew=name in self._found_current or self._was_current(name),
            )
        except PipelineError as error:
            place = declared_at(self._root, name)
            error.where = f"{error.where}; declared in {place}" if error.where else place
            if error.code is Code.TOOLCHAIN and name in self.spared:
                self.events.write(StepBlocked(step=name, reason=error.message))
                return {"outcome": "skipped", "told": error.render()}
            return self._failed(name, error)
        except Exception as error:
            return self._failed(name, fault(action, error))
        return self._finished(name, outcome)

    def _finished(self, name: str, outcome: Outcome) -> dict[str, str]:
        made = self.history.made(name)
        record = self._builder.store.records.get(made.key) if made else None
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

    def _progress(self, name: str, text: str, amount: Amount | None) -> None:
        self.console.progress(name, text, amount)
        now = time.monotonic()
        if now - self._said.get(name, 0.0) >= _SAY_SECONDS:
            self._said[name] = now
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
        failed = Failed(code=error.code.value, message=error.message, when=time.time())
        self.history.note_failed(name, failed)
        return TaskFailed(error.render())

    def _was_current(self, name: str) -> bool:
        return self._recalled is not None and any(
            step.current for step in self._recalled.steps if step.name == name
        )

    def _forget(self, task: str) -> None:
        remembered.forget(self._place)
        if task in self._project.steps:
            self._builder.forget(self._project.steps[task])

    def _clean(self, name: str) -> None:
        action = self._project.steps[name]
        for path in (*action.withdraws, *action.outputs.values()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _remember(self) -> None:
        """Keep what this run saw, once it found everything that it looked at up to date."""
        known = self._builder.store.known
        if self._recalled or not self._stamp or known.unsure:
            return
        project = self._project
        needed = {name: project.needed(action) for name, action in project.steps.items()}
        current = remembered.settled(self._found_current, needed)
        tools = {tool for action in project.steps.values() for tool in action.tools}
        folders = [each for action in project.steps.values() for each in action.folders.items()]
        seen = {str(folder.absolute()): version for folder, version in folders}
        remembered.remember(
            self._place,
            remembered.Remembered(
                root=str(self._root),
                stamp=self._stamp,
                default=project.default(),
                steps=self._steps(current),
                tools={tool: tool_version(tool) for tool in sorted(tools)},
                files=known.seen | seen,
            ),
            self._builder.store.temporary.aside,
        )
