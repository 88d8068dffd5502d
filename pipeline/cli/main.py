"""The `wasi-nn` command line: finds the sub-command, prints its errors, returns its exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

from pipeline.cli import completion
from pipeline.errors import Code, PipelineError

# Each is a module here that offers add_parser(subparsers) and execute(args) -> int.
COMMANDS = (
    "run",
    "new",
    "convert",
    "inspect",
    "tensor",
    "preview",
    "conformance",
    "fetch",
    "validate",
    "doctor",
    "completion",
)

_INTERRUPTED = 130
_TERMINATED = 143


def command_line(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of these commands; raises ModuleNotFoundError for a package they need."""
    parser = argparse.ArgumentParser(
        prog="wasi-nn",
        description="Runs wasi-nn guests in a sandbox; converts models; makes and shows tensors.",
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True)
    for name in names:
        import_module(f"pipeline.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command and return the exit code: 1 for an error, which is told on stderr."""
    given = sys.argv[1:] if argv is None else argv
    if argv is None:
        signal.signal(signal.SIGTERM, _stop)
    try:
        # One that is named needs no other, and a guest should start at once; the doctor imports
        # nothing, and tells what is missing.
        parser = command_line(given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS)
        if completion.asked():
            completion.answer(parser)
        args = parser.parse_args(given)
        code = int(args.execute(args))
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        hint = "`wasi-nn doctor` tells what else is missing; pip install -e . installs it."
        message = f"The package {error.name}, which this command needs, is not installed."
        return _told(PipelineError(Code.TOOLCHAIN, message, hint=hint))
    except PipelineError as error:
        return _told(error)
    except BrokenPipeError:
        # Whoever read our output has enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except _Stopped:
        # Threads that wait for a server, or a guest, are not waited for.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(_TERMINATED)
    return code


class _Stopped(BaseException):
    """SIGTERM came: what is half there is to be removed on the way out."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    # A second one ends what hangs on its way out.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise _Stopped


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
