"""The `wasi-nn` command line: finds the sub-command, prints its errors, returns its exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from pipeline.cli import completion, doctor
from pipeline.errors import Code, PipelineError

# Each offers add_parser(subparsers) and execute(args) -> int.
COMMANDS: Sequence[ModuleType]
_missing = ""
try:
    from pipeline.cli import (
        conformance,
        convert,
        fetch,
        inspect,
        new,
        preview,
        run,
        tensor,
        validate,
    )

    COMMANDS = (
        run,
        new,
        convert,
        inspect,
        tensor,
        preview,
        conformance,
        fetch,
        validate,
        doctor,
        completion,
    )
except ModuleNotFoundError as error:
    # The doctor imports nothing, and tells what else is missing.
    COMMANDS, _missing = (doctor,), error.name or str(error)

_INTERRUPTED = 130


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="wasi-nn",
        description="Runs wasi-nn guests in a sandbox; converts models; makes and shows tensors.",
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command and return the exit code: 1 for an error, which is told on stderr."""
    given = sys.argv[1:] if argv is None else argv
    if _missing and given[:1] != ["doctor"]:
        hint = "`wasi-nn doctor` tells what else is missing; pip install -e . installs it."
        message = f"The package {_missing}, which every command needs, is not installed."
        return _told(PipelineError(Code.TOOLCHAIN, message, hint=hint))
    parser = command_line()
    if completion.asked():
        completion.answer(parser)
    args = parser.parse_args(given)
    try:
        code = int(args.execute(args))
        sys.stdout.flush()
    except PipelineError as error:
        return _told(error)
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(version("wasi-nn-pipeline"))
        parser.exit()


def _told(error: PipelineError) -> int:
    try:
        print(error.render(), file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
