"""Where a step's recipe runs: the one port, and its simplest implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.work.action import Job, Recipe


class Executor(Protocol):
    """Runs recipes somewhere. Several threads may each have it run one."""

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Run one recipe and wait until its outputs lie where ``job`` says.

        ``seconds`` and ``memory``, in resident bytes, are its limits; ``tools`` are the packages
        that must have the same version where it runs as here. Raises what the recipe raises, or
        PipelineError for what became of the place that it ran in.
        """

    def close(self) -> None:
        """End what is still running, and all that runs it."""


class Inline:
    """Runs a recipe in the thread that asks for it; its limits are then the recipe's affair."""

    def run(
        self, recipe: Recipe, job: Job, *, seconds: float, memory: int, tools: Sequence[str] = ()
    ) -> None:
        """Call the recipe."""
        recipe(job)

    def close(self) -> None:
        """Do nothing: nothing outlives its call."""
