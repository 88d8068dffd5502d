"""What dodo.py loads: doit's settings, and a doit task for every step."""

from __future__ import annotations

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
from pipeline.engine import state
from pipeline.engine.reporter import Reporter
from pipeline.engine.steps import Layout, all_steps
from pipeline.errors import Code, ConfigErrors, PipelineError
from pipeline.publish.stale import drop_stale
from pipeline.report.console import Console, open_console
from pipeline.store.store import Store
from pipeline.work.action import Action
from pipeline.work.build import Builder
from pipeline.work.pool import Workers
from pipeline.work.process import end_all

_NAME = "wasi-nn-pipeline"
_WORKERS = 2
_THREADS = 4


class Engine:
    """One project's steps, as doit sees them.

    A config that is wrong ends the process here, with every error and exit code 1, before any
    work starts.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._configs: Configs = load_project(root)
            self._steps: Mapping[str, Action] = {
                action.name: action for action in all_steps(self._configs)
            }
        except (ConfigErrors, PipelineError) as error:
            print(error.render(), file=sys.stderr)
            raise SystemExit(1) from None
        self._layout = Layout(self._configs)
        self._makers = {
            path: action.name for action in self._steps.values() for path in _made(action)
        }
        self._found_current: set[str] = set()
        state.forget_with(self._forget)

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
        return Builder(Store(self._layout.cache), self.workers)

    def close(self) -> None:
        """End the workers and every step that is still running."""
        end_all()
        self.workers.close()
        self._builder.close()

    def settings(self) -> dict[str, Any]:
        """Return DOIT_CONFIG."""
        fixtures = self._configs.fixtures.items()
        _check_installed()
        return {
            "backend": "wasi-nn",
            "reporter": Reporter(self),
            # The steps wait for networks and for processes of their own: threads are enough.
            "num_process": _THREADS,
            "par_type": "thread",
            "continue": True,
            "default_tasks": [f"manifest:{name}" for name, f in fixtures if f.default],
        }

    def tasks(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the doit tasks of one kind, such as ``source``."""
        for name, action in self._steps.items():
            basename, _, rest = name.partition(":")
            if basename == kind:
                yield self._task(action, rest)

    def evidence(self) -> dict[str, Path]:
        """Return where each verification keeps its report, by task name."""
        return {
            name: action.outputs["evidence/"] / "report.json"
            for name, action in self._steps.items()
            if name.startswith("verify:")
        }

    def _task(self, action: Action, name: str) -> dict[str, Any]:
        made_by = {self._makers[path] for path in action.inputs.values() if path in self._makers}
        return {
            "name": name,
            "doc": action.title,
            "actions": [(self._execute, [action])],
            # No file_dep: doit would keep a second truth beside the records, by MD5 and mtime.
            "uptodate": [(self._is_current, [action])],
            "task_dep": sorted(made_by | set(action.after)),
            "targets": [self._shown(path) for path in action.outputs.values()],
            "clean": [(_remove_outputs, [action])],
            # doit's capture swaps sys.stdout for all threads at once.
            "io": {"capture": False},
        }

    def _shown(self, path: Path) -> str:
        root = self._configs.root
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    def _is_current(self, action: Action) -> bool:
        try:
            current = self._builder.is_current(action)
        except PipelineError:
            return False  # Running it tells the error, at its place.
        if current:
            self._found_current.add(action.name)
        return current

    def _execute(self, action: Action) -> TaskFailed | dict[str, str]:
        try:
            outcome = self._builder.build(
                action,
                lambda text: self.console.progress(action.name, text),
                # doit runs a current step only when it was asked to, with `-a`.
                anew=action.name in self._found_current,
            )
        except PipelineError as error:
            return TaskFailed(error.render())
        except Exception as error:
            return TaskFailed(_fault(action, error).render())
        if action.name.startswith("manifest:"):
            self._drop_stale(action)
        return {"outcome": outcome.value}

    def _drop_stale(self, manifest: Action) -> None:
        name = manifest.name.partition(":")[2]
        folder = self._layout.artifacts / name
        published = [
            path
            for action in self._steps.values()
            for path in action.outputs.values()
            if path.is_relative_to(folder)
        ]
        drop_stale(folder, published, self._layout.step(name, "published.json"))

    def _forget(self, task: str) -> None:
        if task in self._steps:
            self._builder.forget(self._steps[task])


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


def _remove_outputs(action: Action) -> None:
    for path in (*action.withdraws, *action.outputs.values()):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
