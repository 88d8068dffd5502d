"""The options -q and -v of commands with progress output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.execution.progress import Progress, ProgressCallback, no_progress


def add_verbosity(parser: argparse.ArgumentParser, quiet: str) -> None:
    """Add the options; ``quiet`` is the help of -q."""
    flags = parser.add_mutually_exclusive_group()
    flags.add_argument("-q", "--quiet", action="store_true", help=quiet)
    flags.add_argument(
        "-v", "--verbose", action="store_true", help="print each operation on stderr"
    )


def add_quiet(parser: argparse.ArgumentParser, quiet: str) -> None:
    """Add -q alone, for a command without progress output."""
    parser.add_argument("-q", "--quiet", action="store_true", help=quiet)


@contextmanager
def show_progress(args: argparse.Namespace, name: str) -> Iterator[ProgressCallback]:
    """Yield a progress callback for stderr: live on a terminal, lines with -v, else silent."""
    from pipeline.report.console.terminal import can_redraw

    if args.quiet:
        yield no_progress
    elif can_redraw(sys.stderr) and not args.verbose:
        from pipeline.report.console.fetch_progress import FetchProgress

        with FetchProgress(sys.stderr, name) as transfers:
            yield transfers.progress
    else:
        yield _print_line if args.verbose or sys.stderr.isatty() else no_progress


def _print_line(text: str, amount: Progress | None = None, /) -> None:
    # Print a counter only once, at its end.
    if amount is None or amount.done == amount.total:
        from pipeline.report.console.summary import one_line

        what = f"{amount.of}: " if amount is not None and amount.of else ""
        # One write, so that lines of other threads do not mix.
        sys.stderr.write(f"{one_line(what + text)}\n")
