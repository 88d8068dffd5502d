"""What is wrong with how the pipeline was installed or started, or with the pipeline itself."""

from __future__ import annotations

import sys
import traceback
from importlib.metadata import PackageNotFoundError, distribution

from pipeline.errors import Code, PipelineError
from pipeline.work.action import Action

_NAME = "wasi-nn-pipeline"


def forked() -> PipelineError:
    """Return the error for a step in a fork of this process."""
    # A fork of this process has no threads that would serve its workers and locks.
    return PipelineError(
        Code.USAGE,
        "The steps do not run in processes that doit forks.",
        hint="Leave out `-P process`; steps that need one have a worker process of their own.",
    )


def check_installed() -> None:
    """End the process with exit code 1 where this package is not installed."""
    # doit finds its state backend among the entry points of installed packages.
    try:
        distribution(_NAME)
    except PackageNotFoundError:
        print(
            f"error: {_NAME} is not installed in this Python.\n  hint:     pip install -e .",
            file=sys.stderr,
        )
        raise SystemExit(1) from None


def fault(action: Action, error: Exception) -> PipelineError:
    """Return a fault of ours as an error like the others, with what we need to mend it."""
    return PipelineError(
        Code.INTERNAL,
        f"{action.name} met a fault of the pipeline itself.",
        found=f"{type(error).__name__}: {error}",
        hint="Please report it with the lines below.",
        detail="".join(traceback.format_exception(error)[-6:]),
    )
