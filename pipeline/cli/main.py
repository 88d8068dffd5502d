"""The `wasi-nn` command line: dispatches to a sub-command, prints errors, returns exit codes."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

from pipeline.cli import completion
from pipeline.cli.arguments import parse
from pipeline.cli.leave_environment import leave_environment
from pipeline.errors import Code, PipelineError
from pipeline.scratch import sweep_scratch

# Each is a module here with add_parser(subparsers) and execute(args) -> int.
COMMANDS = (
    "init",
    "run",
    "new",
    "convert",
    "componentize",
    "inspect",
    "tensor",
    "preview",
    "conformance",
    "fetch",
    "validate",
    "doctor",
    "completion",
)

# These have a folder of their own.
_PACKAGES = ("new", "doctor")

_USAGE = 2
_INTERRUPTED = 130
_TERMINATED = 143
_OBJECTS = 100_000


def command_line(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of these commands; raises ModuleNotFoundError for a missing package."""
    parser = argparse.ArgumentParser(
        prog="wasi-nn",
        description="Runs wasi-nn guests in a sandbox; converts models; creates and inspects "
        "tensors.",
        # It would look for abbreviations among a guest's arguments too.
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_VersionAction, help="print the version and exit")
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True)
    for name in names:
        module = f"pipeline.cli.{name}.command" if name in _PACKAGES else f"pipeline.cli.{name}"
        import_module(module).add_parser(subparsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command and return the exit code: 1 for an error, which is printed on stderr."""
    given = sys.argv[1:] if argv is None else argv
    if argv is None:
        signal.signal(signal.SIGTERM, _stop)
        if given[:1] == ["run"]:
            leave_environment(given)
            # Imports leave objects that stay; looking through them again and again takes 4 ms.
            gc.set_threshold(_OBJECTS)
        # Of what Python's own modules start, nothing imports from the folder that this runs in.
        os.environ["PYTHONSAFEPATH"] = "1"
    try:
        # Import only the named command: a guest should start at once, and the doctor must run with
        # packages missing.
        parser = command_line(given[:1] if given[:1] and given[0] in COMMANDS else COMMANDS)
        if not given and not completion.is_completing():
            parser.print_help()
            return _USAGE
        if completion.is_completing():
            completion.complete(parser)
        args = parse(parser, given)
        sweep_scratch()
        code = int(args.execute(args))
        sys.stdout.flush()
        if argv is None and args.command == "run":
            # To take Python and OpenVINO apart takes longer than a small guest runs.
            sys.stderr.flush()
            os._exit(code)
    except ModuleNotFoundError as error:
        return _print_error(_missing_package(error.name or ""))
    except PipelineError as error:
        return _print_error(error)
    except BrokenPipeError:
        # The reader closed the pipe; Python would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except _Stopped:
        # Do not wait for threads that wait for a server or a guest.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(_TERMINATED)
    return code


def _missing_package(module: str) -> PipelineError:
    try:
        from pipeline.cli.extras import extra_of, missing_package

        return missing_package(module, extra_of(module) or "build")
    except ImportError:
        # Packages of the base are missing too.
        message = f"This command needs the package {module}, which is not installed."
        hint = "Reinstall wasi-nn-pipeline; `wasi-nn doctor` shows what is missing."
        return PipelineError(Code.TOOLCHAIN, message, hint=hint)


class _Stopped(BaseException):
    """SIGTERM was received: partial files are removed while this unwinds."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    # A second SIGTERM kills a process that hangs while it exits.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise _Stopped


class _VersionAction(argparse.Action):
    """Looks up the version only when it is requested."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(version("wasi-nn-pipeline"))
        parser.exit()


def _print_error(error: PipelineError) -> int:
    try:
        print(error.render(), file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
