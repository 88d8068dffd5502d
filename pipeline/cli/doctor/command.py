"""`wasi-nn doctor`: check this machine and print fixes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_EPILOG = """\
what is checked:
  Python; whether the installed packages load and are compatible; doit's entry points of this
  pipeline; OpenVINO's devices; the configs; whether folders are writable and have free space;
  locked environments and compilers; the remote cache; whether every source of the configs is
  reachable. `doit doctor` is the same.

exit code:
  0 if everything that a plain run needs is fine, else 1; optional things are only notes.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this machine and print fixes",
        description="Checks each thing that a project needs, and prints a fix for what is wrong.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "project",
        nargs="?",
        type=Path,
        default=Path(),
        help="the project's folder (default: the current one)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the checks and print them; returns 1 if something is wrong."""
    from pipeline.cli.doctor.render import report

    return report(args.project.absolute(), as_json=args.json)
