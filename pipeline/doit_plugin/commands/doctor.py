"""`doit doctor`: check this machine. It loads no dodo.py, which may be what is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doit.cmd_base import Command

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.options import JSON_OPTION


@with_command_errors
class Doctor(Command):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "doctor"
    doc_purpose = "check this machine and print fixes"
    doc_usage = ""
    doc_description = (
        "Exit code 0 when all that a plain run needs is fine, else 1; what is optional is a note. "
        "As JSON: version, fine, and lines: check, subject, verdict (fine, note or wrong), found "
        "and fix. `wasi-nn doctor` is the same, and works where doit does not."
    )
    cmd_options = (JSON_OPTION,)

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Examine the project in this folder and print; return the exit code."""
        from pipeline.cli.doctor.render import report

        return report(Path.cwd(), as_json=opt_values["as_json"])
