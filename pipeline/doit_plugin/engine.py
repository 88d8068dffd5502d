"""What dodo.py loads: doit's settings, and a doit task for every step."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doit.exceptions import TaskFailed

from pipeline.doit_plugin import noop_snapshot, state
from pipeline.doit_plugin.current_project import set_current
from pipeline.doit_plugin.registration import check_registered
from pipeline.doit_plugin.reporter import Reporter
from pipeline.errors import Code, ConfigErrors, PipelineError
from pipeline.execution.once import Once
from pipeline.report.console.open_console import open_console
from pipeline.report.console.protocol import Console, Verbosity

if TYPE_CHECKING:
    from pipeline.cache.garbage_collection import CollectionResult
    from pipeline.cache.history import History
    from pipeline.doit_plugin.cleaning import Removed
    from pipeline.doit_plugin.run_step import Running
    from pipeline.execution.action import Action
    from pipeline.execution.builder import Builder
    from pipeline.execution.dask.dask_executor import DaskExecutor
    from pipeline.execution.planner import PlannedStep
    from pipeline.execution.pool.worker_pool import WorkerPool
    from pipeline.graph.step_graph import StepGraph
    from pipeline.report.events import EventLog

# What only a run needs is imported where it is used: a list of the steps needs none of it.
# A conversion holds its worker while it waits for a process of its own, which has the processor.
_WORKERS = max(2, os.cpu_count() or 1)
_THREADS = 4


class Engine:
    """One project's steps, as doit sees them.

    A config that is wrong ends the process here, with every error and exit code 1, before any
    work starts.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process = os.getpid()
        self._stamp = noop_snapshot.project_stamp(root)
        self._place = noop_snapshot.snapshot_path(root)
        self._snapshot = noop_snapshot.load_snapshot(root, self._place, self._stamp)
        self._found_current: set[str] = set()
        self._executed = self._closed = False
        self.skippable_guests: set[str] = set()  # of the current run
        self.verbosity = Verbosity.NORMAL
        self.threads = False  # whether steps that may do without a worker process do
        self._cluster: DaskExecutor | None = None
        self._all: list[noop_snapshot.SnapshotStep] | None = None
        # doit's threads share them; a run with nothing to do is over before they are made.
        self._configured = Once(self._load)
        self._opened = Once(self._open)
        self._pooled = Once(self._pool)
        self._logged = Once(self._log)
        self._shown = Once(lambda: open_console(sys.stdout, self.verbosity))
        self._begun = Once(self._begin)
        if self._snapshot is None:
            _ = self._graph
        state.set_forget(self._forget)
        set_current(self)

    def _load(self) -> StepGraph:
        from pipeline.execution.recipe_code import RecipeCodes
        from pipeline.graph.open_cache import check_environment

        # Before any recipe is imported, so that no change of one goes unseen.
        codes = RecipeCodes(self._root / "artifacts" / ".steps" / "code")
        # Every recipe hangs on them.
        from pipeline.config.load_project import load_project
        from pipeline.graph.step_graph import StepGraph

        try:
            configs = load_project(self._root)
            check_environment(configs.project)
            return StepGraph(configs, codes)
        except (ConfigErrors, PipelineError) as error:
            print(error.render(), file=sys.stderr)
            raise SystemExit(1) from None

    def _open(self) -> tuple[Builder, History]:
        from pipeline.cache.history import History
        from pipeline.execution.builder import Builder
        from pipeline.execution.executor import Inline
        from pipeline.graph.open_cache import open_cache

        if self._closed:
            raise PipelineError(Code.STORAGE, "The run has ended.")
        project = self._graph
        cache = open_cache(project.layout, project.configs.project)
        history = History(project.layout.step("history", ""), cache.temporary.atomic_write)
        workers = self._cluster or self.workers
        either = Inline() if self.threads else None
        return Builder(cache, workers, history, project.codes, either=either), history

    @property
    def _graph(self) -> StepGraph:
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

    @property
    def workers(self) -> WorkerPool:
        """The worker processes; none is started before a step needs one."""
        return self._pooled.get()

    @property
    def events(self) -> EventLog:
        """The log of this run's events."""
        return self._logged.get()

    def _pool(self) -> WorkerPool:
        from pipeline.execution.pool.worker_pool import WorkerPool

        workers = WorkerPool(_WORKERS)
        if self._closed:
            workers.close()
        return workers

    def _log(self) -> EventLog:
        from pipeline.report.events import EventLog

        return EventLog(self._root / "artifacts" / ".steps" / "events")

    def _begin(self) -> Running:
        from pipeline.doit_plugin.run_step import Running

        parts = self._root, self._process, self._graph, self._builder, self.history
        return Running(*parts, self.events, self.console.progress)

    def selected(self, names: Sequence[str]) -> list[Action]:
        """Return the named steps and all that they need; see Project.selected."""
        return self._graph.selected(names)

    def named(self, names: Sequence[str]) -> list[str]:
        """Return the steps that are meant, without what they need; see Project.named."""
        return self._graph.named(names)

    def collect(self, limit: int | None, *, dry: bool) -> CollectionResult:
        """Bring the cache down to ``limit`` bytes, or to the project's own limit.

        Raises PipelineError (STORAGE).
        """
        from pipeline.cache.garbage_collection import collect_garbage
        from pipeline.execution.byte_count import byte_count

        cache, project = self._builder.cache, self._graph
        # As the configs are now, which need not be how they were when something was last made.
        self._note_roots(each.key for each in self.plan(list(project.steps.values())))
        most = byte_count(project.configs.project.cache_limit) if limit is None else limit
        try:
            return collect_garbage(
                cache, most, partial(print, file=sys.stderr, flush=True), dry=dry
            )
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "The cache cannot be collected.",
                where=str(error.filename or cache.folder),
                found=error.strerror or str(error),
            ) from None

    def _note_roots(self, more: Iterable[str | None]) -> None:
        from pipeline.cache.garbage_collection import note_roots

        made = (self.history.last_build(name) for name in self._graph.steps)
        keys = {each.key for each in made if each} | {key for key in more if key}
        note_roots(self._builder.cache, self._root, keys)

    def _keys_found(self) -> Iterator[str]:
        for name in self._found_current:
            with suppress(PipelineError):
                yield self._builder.key(self._graph.steps[name])

    def clean(self, steps: Sequence[str], *, dry: bool) -> list[Removed]:
        """Remove the targets of steps; see cleaning.clean."""
        from pipeline.doit_plugin.cleaning import clean

        return clean(self._graph, steps, dry=dry)

    def undeclared(self) -> list[Removed]:
        """Return what is left of fixtures that no config declares; see cleaning.undeclared."""
        from pipeline.doit_plugin.cleaning import undeclared

        return undeclared(self._graph, self.history)

    def clean_undeclared(self, names: Sequence[str], *, dry: bool) -> list[Removed]:
        """Remove what is left of such fixtures; see cleaning.clean_undeclared."""
        from pipeline.doit_plugin.cleaning import clean_undeclared

        return clean_undeclared(self._graph, self.history, names, dry=dry)

    def report(self, target: Path | None = None, known: Collection[str] = ()) -> Path:
        """Write the page for people, with the steps ``known`` up to date; return where it lies.

        Raises PipelineError (STORAGE).
        """
        from pipeline.doit_plugin.html_report import Reports

        parts = self._graph, self._builder, self.history, self.workers, self.events.folder
        return Reports(*parts).write(target or self.report_place, known)

    @property
    def report_place(self) -> Path:
        """Return where the page for people lies."""
        return self._root / "artifacts" / "report.html"

    def plan(self, actions: Sequence[Action]) -> list[PlannedStep]:
        """Return what a run would do with these steps."""
        from pipeline.execution.planner import Planner

        return Planner(self._builder, self.history).plan(actions)

    def connect_cluster(self, address: str) -> int:
        """Let the steps that need a process run on a Dask cluster; return how many at once.

        Raises PipelineError (CLUSTER) when the cluster cannot be used.
        """
        from pipeline.execution.action import Isolation
        from pipeline.execution.dask.dask_executor import DaskExecutor

        steps = self._graph.steps.values()
        tools = {
            tool for step in steps if step.isolation is not Isolation.THREAD for tool in step.tools
        }
        self._cluster = DaskExecutor(
            address,
            # The builder, which has the store, is made with the cluster.
            digest=lambda path: self._builder.cache.digests.digest(path),
            tools=tools,
            local=self.workers,
        )
        return self._cluster.max_concurrency()

    def close(self) -> None:
        """End the workers and every step that is still running."""
        from pipeline.execution.process import end_all

        self._closed = True
        end_all()
        if self._cluster is not None:
            self._cluster.close()
        if (workers := self._pooled.made()) is not None:
            workers.close()
        if self._opened.made() is not None:
            if self._found_current or self._executed:
                self.remember()
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
            "default_tasks": self._snapshot.default if self._snapshot else self._graph.default(),
        }

    def tasks(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the doit tasks of one kind, such as ``source``."""
        for step in self._listed():
            basename, _, rest = step.name.partition(":")
            if basename == kind:
                yield self._task(step, rest)

    def evidence(self) -> dict[str, Path]:
        """Return where each verification keeps its report, by task name."""
        return self._graph.evidence()

    def _listed(self) -> list[noop_snapshot.SnapshotStep]:
        if self._all is None:
            self._all = self._snapshot.steps if self._snapshot else self._steps(set())
        return self._all

    def _steps(self, current: set[str]) -> list[noop_snapshot.SnapshotStep]:
        project = self._graph
        return [
            noop_snapshot.SnapshotStep(
                name, action.title, project.shown(action), project.needed(action), name in current
            )
            for name, action in project.steps.items()
        ]

    def _task(self, step: noop_snapshot.SnapshotStep, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "doc": step.title,
            "actions": [(self._execute, [step.name])],
            # No file_dep: doit would keep a second truth beside the records, by MD5 and mtime.
            "uptodate": [True if step.current else (self._is_current, [step.name])],
            "task_dep": step.task_dep,
            "targets": step.targets,
            # doit's capture swaps sys.stdout for all threads at once.
            "io": {"capture": False},
        }

    def _is_current(self, name: str) -> bool:
        try:
            current = self._builder.is_current(self._graph.steps[name])
        except PipelineError:
            return False  # Running it tells the error, at its place.
        if current:
            self._found_current.add(name)
        return current

    def _execute(self, name: str) -> TaskFailed | dict[str, str]:
        self._executed = True
        # doit runs a current step only when it was asked to, with `-a`.
        force = name in self._found_current or self._was_current(name)
        return self._begun.get().run(name, force=force, may_skip=name in self.skippable_guests)

    def _was_current(self, name: str) -> bool:
        return self._snapshot is not None and any(
            step.current for step in self._snapshot.steps if step.name == name
        )

    def _forget(self, task: str) -> None:
        noop_snapshot.delete_snapshot(self._place)
        if task in self._graph.steps:
            self._builder.forget(self._graph.steps[task])

    def remember(self) -> None:
        """Keep the steps for the next command, with those that this one found to be current.

        Where it ran any, or a file was changing meanwhile, that is said of none.
        """
        if not self._stamp or self._configured.made() is None:
            return
        known = self._builder.cache.digests if self._found_current and not self._executed else None
        sure = known is not None and not known.unsure
        before = self._snapshot
        if before and (not sure or any(step.current for step in before.steps)):
            return
        # The configs may have been read after their versions were.
        if noop_snapshot.project_stamp(self._root) != self._stamp:
            return
        project, current = self._graph, set[str]()
        tools: dict[str, str] = {}
        if known is not None and sure:
            from pipeline.execution.tool_version import tool_version

            needed = {name: project.needed(action) for name, action in project.steps.items()}
            current = noop_snapshot.transitively_current(self._found_current, needed)
            used = {tool for action in project.steps.values() for tool in action.tools}
            tools = {tool: tool_version(tool) for tool in sorted(used)}
        noop_snapshot.save_snapshot(
            self._place,
            noop_snapshot.Snapshot(
                root=str(self._root),
                stamp=self._stamp,
                default=project.default(),
                steps=self._steps(current),
                around=noop_snapshot.surroundings(project),
                tools=tools,
                files=known.seen if known is not None and sure else {},
            ),
        )
