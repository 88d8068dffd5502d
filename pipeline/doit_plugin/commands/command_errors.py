"""What a command answers to --help and to words that make no sense, and to a reader that left."""

from __future__ import annotations

import re
import sys
from getopt import GetoptError
from typing import Any, TypeVar

from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand

from pipeline.config.wording import closest, quoted
from pipeline.errors import Code, PipelineError
from pipeline.report.console.terminal import to_devnull

# What doit itself ends with, where no task has been begun.
_NOT_BEGUN = 3
_NO_TASK = re.compile("'(.*)' is not a task\\.", re.S)

Kind = TypeVar("Kind", bound=type[Any])


def with_command_errors(command: Kind) -> Kind:
    """Let a class of commands print its help where that is asked for, and errors in our form.

    doit has `doit help COMMAND` alone, and lists its own parser in the place of an error.
    """
    execute = command.parse_execute

    def parse_execute(self: Any, words: list[str]) -> int:
        try:
            if {"--help", "-h"} & set(words):
                print(self.help())
                code = 0
            else:
                code = int(execute(self, words) or 0)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            to_devnull(sys.stdout)
            return 1
        except CmdParseError as error:
            problem = _usage_error(self, error)
        except InvalidCommand as error:
            problem = _unknown_name(self, error)
        print(problem.render(), file=sys.stderr)
        return _NOT_BEGUN

    command.parse_execute = parse_execute
    return command


def _usage_error(command: Any, error: CmdParseError) -> PipelineError:
    # doit's own words for an unknown option add how its parser is made.
    cause = error.__context__
    return PipelineError(
        Code.USAGE,
        f"The words after `doit {command.name}` cannot be read.",
        found=" ".join(str(cause if isinstance(cause, GetoptError) else error).split()),
        hint=f"`doit help {command.name}` lists what it takes.",
    )


def _unknown_name(command: Any, error: InvalidCommand) -> PipelineError:
    named = _NO_TASK.fullmatch(str(error))
    name = error.not_found or (named and named[1])
    if not name:
        return PipelineError(Code.USAGE, str(error))
    tasks = command.task_list
    known = [*(task.name for task in tasks), *(each for task in tasks for each in task.targets)]
    if command.name == "run":
        known += command.loader.cmd_names
    near = closest(name, known)
    return PipelineError(
        Code.USAGE,
        f"There is no such task, target or command: {quoted(name)}.",
        hint=f"Did you mean {near}?" if near else "`doit list --all` names all tasks.",
    )
