"""How a command ends: its exit code, an error as one clear message."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pipeline.doit_plugin.current_project import current_engine
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import PipelineError


def run_command(command: Callable[[Engine], int]) -> int:
    """Run a command on the present engine and return its exit code, 1 for an error."""
    engine = current_engine()
    try:
        return command(engine)
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return 1
    finally:
        engine.close()
