"""What is wrong with how a step was started, or with the pipeline itself."""

from __future__ import annotations

import traceback

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action


def forked_error() -> PipelineError:
    """Return the error for a step in a fork of this process."""
    # A fork of this process has no threads that would serve its workers and locks.
    return PipelineError(
        Code.USAGE,
        "The steps do not run in processes that doit forks.",
        hint="Leave out `-P process`; steps that need one have a worker process of their own.",
    )


def internal_error(action: Action, error: Exception) -> PipelineError:
    """Return a fault of ours as an error like the others, with what we need to mend it."""
    return PipelineError(
        Code.INTERNAL,
        f"{action.name} met a fault of the pipeline itself.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
