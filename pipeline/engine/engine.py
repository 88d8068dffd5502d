"""What dodo.py loads: doit's settings, and a doit task for every step."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from doit.exceptions import TaskFailed

from pipeline.config.load import Configs, load_project
from pipeline.engine import remembered, state
from pipeline.engine.declared import declared_at
from pipeline.engine.reporter import Reporter
from pipeline.engine.steps import Layout, all_steps
from pipeline.engine.storage import check_environment, open_store
from pipeline.errors import Code, ConfigErrors, PipelineError
from pipeline.publish.stale import drop_stale, note_published
from pipeline.report.console import Console, open_console
from pipeline.work.action import Action
from pipeline.work.build import Builder, tool_version
from pipeline.work.pool import Workers
from pipeline.work.process import end_all

_NAME = "wasi-nn-pipeline"
_WORKERS = 2
_THREADS = 4


class _Project:
    """What the configs say: the steps by name, where they keep things, who makes which file."""

    def __init__(self, configs: Configs) -> None:
        self.configs = configs
        self.layout = Layout(configs)
        self.steps: Mapping[str, Action] = {action.name: action for action in all_steps(configs)}
        self._makers = {
            path: action.name for action in self.steps.values() for path in _made(action)
        }

    def default(self) -> list[str]:
        """Return the tasks of a plain run."""
        fixtures = self.configs.fixtures.items()
        return [f"manifest:{name}" for name, fixture in fixtures if fixture.default]

    def needed(self, action: Action) -> list[str]:
        """Return the steps that come before this one."""
        makers = self._makers
        made_by = {makers[path] for path in action.inputs.values() if path in makers}
        return sorted(made_by | set(action.after))

    def shown(self, action: Action) -> list[str]:
        """Return the targets as doit lists them."""
        root = self.configs.root
        return [
            str(path.relative_to(root) if path.is_relative_to(root) else path)
            for path in action.outputs.values()
        ]


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
        self._executed = False
        if self._recalled is None:
            _ = self._project
        state.forget_with(self._forget)

    @cached_property
    def _project(self) -> _Project:
        try:
            configs = load_project(self._root)
            check_environment(configs.project)
            return _Project(configs)
        except (ConfigErrors, PipelineError) as error:
            print(error.render(), file=sys.stderr)
            raise SystemExit(1) from None

    @cached_property
    def console(self) -> Console:
        """Where the run is shown."""
        return open_console(sys.stdout)

    @cached_property
    def workers(self) -> Workers:
        """The worker processes; none is started before a step needs one."""
        return Workers(_WORKERS)

    @cached_property
    def _builder(self) -> Builder:
        return Builder(
            open_store(self._project.layout, self._project.configs.project), self.workers
        )

    def close(self) -> None:
        """End the workers and every step that is still running."""
        end_all()
        if "workers" in self.__dict__:
            self.workers.close()
        if "_builder" in self.__dict__:
            if not self._executed:
                self._remember()
            self._builder.close()

    def settings(self) -> dict[str, Any]:
        """Return DOIT_CONFIG."""
        _check_installed()
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
        return {
            name: action.outputs["evidence/"] / "report.json"
            for name, action in self._project.steps.items()
            if name.startswith("verify:")
        }

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
            return TaskFailed(_forked().render())
        action = self._project.steps[name]
        try:
            self._note_published(action)
            outcome = self._builder.build(
                action,
                lambda text: self.console.progress(name, text),
                # doit runs a current step only when it was asked to, with `-a`.
                anew=name in self._found_current or self._was_current(name),
            )
        except PipelineError as error:
            place = declared_at(self._root, name)
            error.where = f"{error.where}; declared in {place}" if error.where else place
            return TaskFailed(error.render())
        except Exception as error:
            return TaskFailed(_fault(action, error).render())
        return {"outcome": outcome.value}

    def _was_current(self, name: str) -> bool:
        return self._recalled is not None and any(
            step.current for step in self._recalled.steps if step.name == name
        )

    def _note_published(self, action: Action) -> None:
        """Note what a step puts into a fixture's folder; before the manifest, drop the rest.

        All of it before the step itself: of a step that has ended, nothing is left to be done.
        """
        project = self._project
        kind, _, rest = action.name.partition(":")
        fixture = rest.partition(".")[0]
        folder = project.layout.artifacts / fixture
        memory = project.layout.step(fixture, "published")

        def inside(action: Action) -> list[Path]:
            return [path for path in action.outputs.values() if path.is_relative_to(folder)]

        if published := inside(action):
            note_published(folder, published, memory)
        if kind == "manifest":
            drop_stale(folder, [p for a in project.steps.values() for p in inside(a)], memory)

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
        remembered.remember(
            self._place,
            remembered.Remembered(
                root=str(self._root),
                stamp=self._stamp,
                default=project.default(),
                steps=self._steps(current),
                tools={tool: tool_version(tool) for tool in sorted(tools)},
                files=known.seen,
            ),
        )


def _forked() -> PipelineError:
    # A fork of this process has no threads that would serve its workers and locks.
    return PipelineError(
        Code.USAGE,
        "The steps do not run in processes that doit forks.",
        hint="Leave out `-P process`; steps that need one have a worker process of their own.",
    )


def _check_installed() -> None:
    # doit finds its state backend among the entry points of installed packages.
    try:
        distribution(_NAME)
    except PackageNotFoundError:
        print(
            f"error: {_NAME} is not installed in this Python.\n  hint:     pip install -e .",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


def _made(action: Action) -> Iterator[Path]:
    for label, path in action.outputs.items():
        yield path / "report.json" if label == "evidence/" else path


def _fault(action: Action, error: Exception) -> PipelineError:
    """Return a fault of ours as an error like the others, with what we need to mend it."""
    return PipelineError(
        Code.INTERNAL,
        f"{action.name} met a fault of the pipeline itself.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
