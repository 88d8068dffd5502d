"""The protocol for running recipes, and the executor that runs them in the calling thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.execution.action import Job, Recipe


class Executor(Protocol):
    """Runs recipes. Safe for several threads."""

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one recipe and wait until the outputs of ``job`` are written.

        ``seconds`` and ``memory`` (resident bytes) are its limits; ``tools`` are packages that
        must have the same version on the worker. Raises the recipe's exception, or PipelineError
        for a failure of the worker.
        """

    def close(self) -> None:
        """Stop running recipes and all workers."""


class Inline:
    """Runs a recipe in the calling thread, without limits."""

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Call the recipe."""
        recipe(job)

    def close(self) -> None:
        """Do nothing: no recipe outlives its call."""
