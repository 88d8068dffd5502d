"""The entry point of `wasi-nn`."""

from __future__ import annotations

import argparse
import os
import sys

from pipeline.cli import run
from pipeline.errors import ConfigErrors, PipelineError

COMMANDS = (run,)


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command and return its exit code; an error that a user can mend gives 1."""
    parser = argparse.ArgumentParser(
        prog="wasi-nn", description="Run wasi-nn guests over OpenVINO.", allow_abbrev=False
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        return int(arguments.execute(arguments))
    except (PipelineError, ConfigErrors) as error:
        print(error.render(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
