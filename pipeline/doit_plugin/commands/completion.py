"""`doit completion`: the script that completes doit's commands, options and tasks in a shell."""

from __future__ import annotations

import sys
from typing import Any

from doit.cmd_base import Command

from pipeline.cli.completion import SHELLS
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.errors import Code, PipelineError

_PROGRAM = "wasi-nn-complete-doit"


@with_command_errors
class Completion(Command):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "completion"
    doc_purpose = "print the completion script for bash, zsh or fish"
    doc_usage = "bash|zsh|fish"
    doc_description = (
        'For bash, put into ~/.bashrc: eval "$(doit completion bash)". For zsh: doit completion '
        'zsh >"${fpath[1]}/_doit". For fish: doit completion fish '
        ">~/.config/fish/completions/doit.fish. `wasi-nn completion` does it for wasi-nn."
    )

    def execute(self, opt_values: Any, pos_args: list[str]) -> int:
        """Print the script; return the exit code."""
        from argcomplete.shell_integration import shellcode

        if len(pos_args) != 1 or pos_args[0] not in SHELLS:
            error = PipelineError(
                Code.USAGE,
                "Invalid argument: SHELL." if pos_args else "Missing argument: SHELL.",
                expected=", ".join(SHELLS),
                found=" ".join(pos_args) or "none",
            )
            print(error.render(), file=sys.stderr)
            return 1
        print(shellcode(["doit"], shell=pos_args[0], argcomplete_script=_PROGRAM))
        return 0
