"""`wasi-nn doctor`: what this machine lacks, and what mends it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_EPILOG = """\
what is looked at:
  Python; the installed packages, whether they load and fit one another; the entry points by which
  doit finds this pipeline; OpenVINO's devices; the configs; the folders that are written to, and
  the room there; locked environments and compilers; the remote cache; whether every source of the
  configs answers. `doit doctor` is the same.

exit code:
  0 when all that a plain run needs is fine, else 1; what is optional is a note.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="look for what is missing or broken on this machine, and say what mends it",
        description="Says of each thing that a project needs: fine, or what is wrong and the fix.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "project", nargs="?", type=Path, default=Path(), help="its folder (default: this one)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Examine and print; returns 1 where something is wrong."""
    from pipeline.doctor.told import report

    return report(args.project.absolute(), as_json=args.json)
