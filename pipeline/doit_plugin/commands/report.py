"""`doit report`: the page for people, of what is there now."""

from __future__ import annotations

from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.engine import Engine
from pipeline.doit_plugin.reporter import shown

_OUTPUT = {
    "name": "output",
    "short": "o",
    "long": "output",
    "type": str,
    "default": "",
    "help": "the file to write; artifacts/report.html if none is given",
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
        "it at its end; this writes it anew, and runs no step."
    )
    cmd_options = (_OUTPUT,)

    def _execute(self, output: str) -> int:
        def command(engine: Engine) -> int:
            print(shown(engine.report(Path(output) if output else None)))
            return 0

        return run_command(command)
