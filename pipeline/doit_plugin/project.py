"""A project: its steps, and the cache, history and workers that they share."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, ConfigErrors, PipelineError
from pipeline.execution.once import Once

if TYPE_CHECKING:
    from pipeline.cache.history import History
    from pipeline.execution.action import Action
    from pipeline.execution.builder import Builder
    from pipeline.execution.dask.dask_executor import DaskExecutor
    from pipeline.execution.planner import PlannedStep
    from pipeline.execution.pool.worker_pool import WorkerPool
    from pipeline.graph.step_graph import StepGraph
    from pipeline.report.verified_cases import Row

# A conversion holds its worker while it waits for a process of its own, which has the processor.
_WORKERS = max(2, os.cpu_count() or 1)


class ProjectContext:
    """One project; each part is loaded or opened once, by the first thread that needs it.

    Modules that only a run needs are imported where they are used: a list of the steps needs none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._closed = False
        self._cluster: DaskExecutor | None = None
        self._loaded = Once(self._load)
        self._opened = Once(self._open)
        self._pooled = Once(self._pool)

    @property
    def graph(self) -> StepGraph:
        """The steps. Invalid configs end the process with every error and exit code 1."""
        return self._loaded.get()

    @property
    def is_loaded(self) -> bool:
        """Whether the configs were read."""
        return self._loaded.made() is not None

    @property
    def builder(self) -> Builder:
        """What builds the steps, with the cache."""
        return self._opened.get()[0]

    @property
    def is_open(self) -> bool:
        """Whether the cache was opened."""
        return self._opened.made() is not None

    @property
    def history(self) -> History:
        """How each step was last made, and how it last failed."""
        return self._opened.get()[1]

    @property
    def workers(self) -> WorkerPool:
        """The worker processes; none is started before a step needs one."""
        return self._pooled.get()

    @property
    def events(self) -> Path:
        """The folder of the event logs."""
        return self.root / "artifacts" / ".steps" / "events"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "artifacts" / "report.html"

    def plan(self, actions: Sequence[Action]) -> list[PlannedStep]:
        """Return what a run would do with these steps."""
        from pipeline.execution.planner import Planner

        return Planner(self.builder, self.history).plan(actions)

    def verified(self, steps: Iterable[str]) -> list[Row]:
        """Return the rows of the summary for those of the steps that verify something."""
        from pipeline.report.verified_cases import VerifiedCase, verified_rows

        actions = [self.graph.steps[name] for name in steps]
        return verified_rows(
            VerifiedCase(each.fixture, each.case, each.evidence)
            for each in actions
            if each.evidence is not None
        )

    def write_report(self, target: Path, known: Collection[str] = ()) -> None:
        """Write the HTML report; the steps ``known`` are up to date.

        Raises PipelineError (STORAGE).
        """
        from pipeline.doit_plugin.html_report import Reports

        parts = self.graph, self.builder, self.history, self.workers, self.events
        Reports(*parts).write(target, known)

    def note_roots(self, keys: Iterable[str]) -> None:
        """Keep what these keys, and the last builds of all steps, refer to from being collected."""
        from pipeline.cache.garbage_collection import note_roots

        made = (self.history.last_build(name) for name in self.graph.steps)
        note_roots(self.builder.cache, self.root, {each.key for each in made if each} | {*keys})

    def connect_cluster(self, address: str) -> int:
        """Let the steps that need a process run on a Dask cluster; return how many at once.

        Raises PipelineError (CLUSTER) when the cluster cannot be used.
        """
        from pipeline.execution.action import Isolation
        from pipeline.execution.dask.dask_executor import DaskExecutor

        steps = self.graph.steps.values()
        tools = {
            tool for step in steps if step.isolation is Isolation.WORKER for tool in step.tools
        }
        self._cluster = DaskExecutor(
            address,
            # The builder, which has the cache, is made with the cluster.
            digest=lambda path: self.builder.cache.digests.digest(path),
            tools=tools,
            local=self.workers,
        )
        return self._cluster.max_concurrency()

    def stop(self) -> None:
        """End the workers and every step that is still running."""
        from pipeline.execution.process import end_all

        if self._closed:
            return
        self._closed = True
        end_all()
        if self._cluster is not None:
            self._cluster.close()
        if (workers := self._pooled.made()) is not None:
            workers.close()

    def close(self) -> None:
        """Stop what is running, and close the cache."""
        self.stop()
        if self.is_open:
            self.builder.close()

    def _load(self) -> StepGraph:
        from pipeline.execution.recipe_code import RecipeCodes
        from pipeline.graph.open_cache import check_environment

        # Before any recipe is imported, so that no change of one goes unseen.
        codes = RecipeCodes(self.root / "artifacts" / ".steps" / "code")
        # Every recipe hangs on them.
        from pipeline.config.load_project import load_project
        from pipeline.graph.step_graph import StepGraph

        try:
            configs = load_project(self.root)
            check_environment(configs.project)
            return StepGraph(configs, codes)
        except (ConfigErrors, PipelineError) as error:
            print(error.render(), file=sys.stderr)
            raise SystemExit(1) from None

    def _open(self) -> tuple[Builder, History]:
        from pipeline.cache.history import History
        from pipeline.execution.builder import Builder
        from pipeline.graph.open_cache import open_cache

        if self._closed:
            raise PipelineError(Code.STORAGE, "The run has ended.")
        graph = self.graph
        cache = open_cache(graph.layout, graph.configs.project)
        history = History(graph.layout.step("history", ""), cache.temporary.atomic_write)
        executor = self._cluster or self.workers
        return Builder(cache, executor, history, graph.codes, graph.layout.artifacts), history

    def _pool(self) -> WorkerPool:
        from pipeline.execution.pool.worker_pool import WorkerPool

        workers = WorkerPool(_WORKERS)
        if self._closed:
            workers.close()
        return workers
