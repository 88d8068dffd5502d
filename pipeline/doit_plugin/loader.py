"""The steps of a project as doit's tasks, with doit's settings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.doit_plugin import noop_snapshot
from pipeline.doit_plugin.noop_snapshot import SnapshotStep
from pipeline.doit_plugin.project import ProjectContext
from pipeline.doit_plugin.registration import check_registered
from pipeline.doit_plugin.reporter import Reporter
from pipeline.errors import PipelineError
from pipeline.execution.once import Once
from pipeline.graph.kinds import KINDS
from pipeline.scratch import sweep_scratch

if TYPE_CHECKING:
    from doit.exceptions import TaskFailed

    from pipeline.doit_plugin.run_controller import RunController
    from pipeline.execution.builder import Inspection

_THREADS = 4


class StepTasks:
    """The tasks of the project in ``root``, from the snapshot of the last command if it holds."""

    def __init__(self, root: Path) -> None:
        self.project = ProjectContext(root)
        self._stamp = noop_snapshot.project_stamp(root)
        self._place = noop_snapshot.snapshot_path(root)
        self._snapshot = noop_snapshot.load_snapshot(root, self._place, self._stamp)
        self._inspections: dict[str, Inspection] = {}
        self._current: dict[str, str] = {}  # The keys of the steps that are up to date.
        self._executed = False
        self._run = Once(self._control)
        if self._snapshot is None:
            _ = self.project.graph

    def settings(self) -> dict[str, Any]:
        """Return DOIT_CONFIG; ``step_tasks`` is for the commands of this package."""
        check_registered(self.project.root)
        return {
            "backend": "wasi-nn",
            "reporter": Reporter(self._run.get),
            # The steps wait for networks and for processes of their own: threads are enough.
            "num_process": _THREADS,
            "par_type": "thread",
            "continue": True,
            "default_tasks": (
                self._snapshot.default if self._snapshot else self.project.graph.default()
            ),
            "step_tasks": self,
        }

    def create(self) -> Iterator[dict[str, Any]]:
        """Yield doit's tasks: for each kind its group, and the steps of it."""
        groups: dict[str, list[SnapshotStep]] = {kind: [] for kind in KINDS}
        for step in self._steps:
            groups[step.kind].append(step)
        for kind, steps in groups.items():
            yield {"basename": kind, "name": None, "doc": KINDS[kind]}
            for step in steps:
                yield {"basename": kind, **self._task(step)}

    def of_kind(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the tasks of one kind, for a dodo.py with a creator for each."""
        return (self._task(step) for step in self._steps if step.kind == kind)

    def forget(self, task: str) -> None:
        """Drop the record of a step's present key, so that it runs again."""
        noop_snapshot.delete_snapshot(self._place)
        if task in self.project.graph.steps:
            self.project.builder.forget(self.project.graph.steps[task])

    def close(self) -> None:
        """End what is running, save what this command found out, and close the project."""
        self.project.stop()
        if self.project.is_open and (self._current or self._executed):
            self.save_snapshot()
            self.project.note_roots(self._current.values())
        self.project.close()
        # Of other runs, and of workers that were ended.
        sweep_scratch()

    def save_snapshot(self) -> None:
        """Save the steps for the next command, with those that this one found to be current.

        If it ran any, or a file was changing meanwhile, none is saved as current.
        """
        if not self._stamp or not self.project.is_loaded:
            return
        known = self.project.builder.cache.digests if self._current and not self._executed else None
        sure = known is not None and not known.unsure
        before = self._snapshot
        if before and (not sure or any(step.current for step in before.steps)):
            return
        # The configs may have been read after their versions were.
        if noop_snapshot.project_stamp(self.project.root) != self._stamp:
            return
        graph, current = self.project.graph, set[str]()
        tools: dict[str, str] = {}
        if known is not None and sure:
            from pipeline.execution.tool_version import tool_version

            needed = {name: graph.needed(action) for name, action in graph.steps.items()}
            current = noop_snapshot.transitively_current(self._current, needed)
            used = {tool for action in graph.steps.values() for tool in action.tools}
            tools = {tool: tool_version(tool) for tool in sorted(used)}
        noop_snapshot.save_snapshot(
            self._place,
            noop_snapshot.Snapshot(
                root=str(self.project.root),
                stamp=self._stamp,
                default=graph.default(),
                steps=noop_snapshot.snapshot_steps(graph, current),
                around=noop_snapshot.surroundings(graph),
                tools=tools,
                files=known.seen if known is not None and sure else {},
            ),
        )

    @cached_property
    def _steps(self) -> list[SnapshotStep]:
        if self._snapshot:
            return self._snapshot.steps
        return noop_snapshot.snapshot_steps(self.project.graph, set())

    def _task(self, step: SnapshotStep) -> dict[str, Any]:
        name = step.name
        return {
            "name": step.label,
            "doc": step.title,
            "actions": [(self._execute, [name])],
            # No file_dep: doit would keep a second truth beside the records, by MD5 and mtime.
            "uptodate": [True if step.current else (self._is_current, [name])],
            "task_dep": step.task_dep,
            "targets": step.targets,
            # doit's capture swaps sys.stdout for all threads at once.
            "io": {"capture": False},
            "meta": {"kind": step.kind, "fixture": step.fixture},
        }

    def _is_current(self, name: str) -> bool:
        action = self.project.graph.steps[name]
        if not all(path.exists() for path in action.inputs.values()):
            return False  # Running it reports the error, at its place.
        try:
            found = self.project.builder.inspect(action)
        except PipelineError:
            return False
        if found.current:
            self._current[name] = found.key
        # Running it need not compute the key again.
        self._inspections[name] = found
        return found.current

    def _execute(self, name: str) -> TaskFailed | dict[str, str]:
        self._executed = True
        # doit runs a current step only when it was asked to, with `-a`.
        force = name in self._current or self._was_current(name)
        return self._run.get().run(name, force=force, inspection=self._inspections.pop(name, None))

    def _was_current(self, name: str) -> bool:
        return self._snapshot is not None and any(
            step.current for step in self._snapshot.steps if step.name == name
        )

    def _control(self) -> RunController:
        from pipeline.doit_plugin.run_controller import RunController

        return RunController(self.project, self.close)
