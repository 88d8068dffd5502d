"""Parse a command line; mistakes come with the usage of the sub-command and a suggestion."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NoReturn


def parse(parser: argparse.ArgumentParser, given: Sequence[str]) -> argparse.Namespace:
    """Return the arguments as ``parser`` and its sub-parsers understand them.

    A command or an option that does not exist ends the process with exit code 2.
    """
    commands = _commands(parser)
    if given and not given[0].startswith("-") and given[0] not in commands:
        _end(parser, f"unknown command {given[0]!r}", given[0], commands)
    args, unknown = parser.parse_known_args(given)
    if unknown:
        command = commands[args.command]
        flags = [flag for action in command._actions for flag in action.option_strings]
        first = unknown[0].partition("=")[0]
        _end(command, f"unrecognized arguments: {' '.join(unknown)}", first, flags)
    return args


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _end(
    parser: argparse.ArgumentParser, message: str, given: str, known: Iterable[str]
) -> NoReturn:
    near = get_close_matches(given, known, n=1)
    parser.error(message + (f"; did you mean {near[0]!r}?" if near else ""))
