"""--help of doit's commands, invalid arguments as errors, and an output that was closed."""

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

# The exit code of doit itself if no task has started.
_NOT_BEGUN = 3
_NO_TASK = re.compile("'(.*)' is not a task\\.", re.S)

Kind = TypeVar("Kind", bound=type[Any])


def with_command_errors(command: Kind) -> Kind:
    """Make a command print its help for --help, and its errors in our form.

    doit itself has only `doit help COMMAND`, and prints how its parser is called as an error.
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
    # doit's own message for an unknown option includes its parser's settings.
    cause = error.__context__
    return PipelineError(
        Code.USAGE,
        f"Invalid arguments to `doit {command.name}`.",
        found=" ".join(str(cause if isinstance(cause, GetoptError) else error).split()),
        hint=f"`doit help {command.name}` lists its options.",
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
        hint=f"Did you mean {near}?" if near else "`doit list --all` lists all tasks.",
    )
