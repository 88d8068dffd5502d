"""How a command ends: its exit code, an error as one clear message, a reader that left."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pipeline.engine.engine import Engine
from pipeline.engine.present import present
from pipeline.errors import PipelineError
from pipeline.report.console import hush


def told(command: Callable[[Engine], int]) -> int:
    """Run a command on the present engine and return its exit code, 1 for an error."""
    engine = present()
    try:
        code = command(engine)
        sys.stdout.flush()
        return code
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return 1
    except BrokenPipeError:
        hush(sys.stdout)
        return 1
    finally:
        engine.close()
