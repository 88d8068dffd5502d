"""A bug in the pipeline, and a way to run it that does not work, as errors."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from pipeline.execution.action import Action


def forked_error() -> PipelineError:
    """Return the error for `doit -P process`."""
    # A fork of this process has no threads that would serve its workers and locks.
    return PipelineError(
        Code.USAGE,
        "Steps cannot run in processes that doit forks.",
        hint="Leave out `-P process`; steps that need one have a worker process of their own.",
    )


def internal_error(action: Action, error: Exception) -> PipelineError:
    """Return an unexpected exception as an error, with what we need to fix the bug."""
    return PipelineError(
        Code.INTERNAL,
        f"{action.name} failed because of a bug in the pipeline.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
