"""The HTML report, written at the end of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import PipelineError
from pipeline.report.console.protocol import Verbosity
from pipeline.report.console.run_display import print_line
from pipeline.report.events import Event, RunFinished
from pipeline.report.run_tally import RunTally


class ReportWriter:
    """Subscribes to a run; it writes the report if the run changed what that shows.

    A report that cannot be written fails no run.
    """

    def __init__(
        self, project: ProjectContext, tally: RunTally, stream: TextIO, verbosity: Verbosity
    ) -> None:
        self._project = project
        self._tally = tally
        self._stream = stream
        self._verbosity = verbosity

    def __call__(self, event: Event) -> None:
        """Write the report at the end of the run."""
        if not isinstance(event, RunFinished) or event.interrupted:
            return
        place = self._project.report
        if not self._tally.changed and place.exists():
            return
        try:
            self._project.write_report(place, self._tally.reached)
        except PipelineError as error:
            print(f"no report: {error.message} {error.where} {error.found}", file=sys.stderr)
        except Exception as error:
            print(f"no report: {type(error).__name__}: {error}", file=sys.stderr)
        else:
            if self._verbosity is not Verbosity.QUIET:
                print_line(f"report: {short_path(place)}", self._stream)


def short_path(path: Path) -> str:
    """Return a path relative to the working directory if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
