"""`doit report`: the HTML report of what is there now."""

from __future__ import annotations

from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.doit_plugin.report_writer import short_path

_OUTPUT = {
    "name": "output",
    "short": "o",
    "long": "output",
    "type": str,
    "default": "",
    "help": "the file to write (default: artifacts/report.html)",
}


@with_command_errors
class ReportCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "report"
    doc_purpose = "write artifacts/report.html: what was built, the outputs, and what failed"
    doc_usage = ""
    doc_description = (
        "One file that needs no network: each fixture with its pictures, checks, model, sources "
        "and digests, and the last run that did something, failures first. Every such run writes "
        "it at its end; this command only writes the report and runs no step."
    )
    cmd_options = (_OUTPUT,)

    def _execute(self, output: str) -> int:
        def command(project: ProjectContext) -> int:
            place = Path(output) if output else project.report
            project.write_report(place)
            print(short_path(place))
            return 0

        return run_command(self, command)
