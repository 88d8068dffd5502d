"""`wasi-nn conformance`: run the conformance suite on a wasi-nn host."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.verbosity import add_quiet
from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from pipeline.conformance.case import Case, Verdict
    from pipeline.conformance.runner.suite import HostResults

_EPILOG = """\
examples:
  wasi-nn conformance
  run all cases on the embedded host

  wasi-nn conformance --host wasmtime --allow differs
  run them on the Wasmtime CLI, and fail only for unsafe results

  wasi-nn conformance --host 'iwasm --dir={dir} {wasm}' --host this --matrix
  compare another host with this one, as a Markdown table

verdicts:
  conforms; differs: another errno than expected, or the guest trapped, without risk; unsafe: the
  host crashed or hung, returned bytes that are not the guest's, or reported success for an invalid
  call.

exit code:
  0 if every case conforms (or is allowed), 1 otherwise or on an error.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "conformance",
        help="run the conformance suite on this or another wasi-nn host",
        description=(
            "Runs each case of the suite on a wasi-nn host, as a small guest in its own process, "
            "so that a crash or hang of the host is a result."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        dest="hosts",
        action="append",
        default=[],
        metavar="HOST",
        help="this (the default), wasmtime, wasmedge, iwasm, or a command line with {wasm} for the "
        "guest and {dir} for the folder of the named graphs; repeatable",
    )
    parser.add_argument(
        "--case",
        dest="names",
        action="append",
        default=[],
        metavar="NAME",
        help="run only this case, or with a trailing * all with this prefix; repeatable",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="time limit of each case; a host that exceeds it hangs (default: 60)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="run N cases in parallel (default: number of cores)"
    )
    parser.add_argument(
        "--allow",
        choices=("differs",),
        help="accept this verdict without failing",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument("--matrix", action="store_true", help="print a Markdown table of all hosts")
    shape.add_argument("--list", action="store_true", help="list the cases and exit")
    add_quiet(parser, "show only cases that do not conform, and the summary")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a JUnit XML report")
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="FOLDER",
        help="write the guests, models and expectations to a new folder and exit",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the suite; returns 1 if a host does not conform. Raises PipelineError."""
    from pipeline.conformance.cases.all_cases import CASES

    cases = _chosen(CASES, args.names)
    if args.list:
        for case in cases:
            print(f"{case.name:<30}  {case.rule}")
        return 0
    if args.kit is not None:
        return _write_kit(args.kit, cases)
    if args.seconds <= 0 or (args.jobs is not None and args.jobs < 1):
        raise PipelineError(Code.USAGE, "--seconds and --jobs must be greater than 0.")
    columns = _run(args, cases)
    allowed = _allowed(args.allow)
    if args.junit is not None:
        from pipeline.cache.atomic import write_bytes
        from pipeline.conformance.runner.results import as_junit

        write_bytes(args.junit, as_junit(columns, allowed).encode())
    ok = all(result.verdict in allowed for column in columns for result in column.results)
    return 0 if ok else 1


def _run(args: argparse.Namespace, cases: Sequence[Case]) -> list[HostResults]:
    from pipeline.conformance.case import Verdict
    from pipeline.conformance.runner import results
    from pipeline.conformance.runner.hosts import named_host, this_host
    from pipeline.conformance.runner.kit import write_kit
    from pipeline.conformance.runner.suite import Result, run_suite

    plain = not (args.json or args.matrix)

    def each(result: Result) -> None:
        if plain and not (args.quiet and result.verdict is Verdict.CONFORMS):
            print(results.line(result), flush=True)

    columns = []
    with tempfile.TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as folder:
        kit, tools = Path(folder) / "kit", Path(folder) / "tools"
        tools.mkdir()
        hosts = [
            this_host() if text == "this" else named_host(text, tools)
            for text in args.hosts or ["this"]
        ]
        write_kit(kit, cases)
        for host in hosts:
            column = run_suite(
                host,
                cases,
                kit,
                seconds=args.seconds,
                jobs=args.jobs,
                each=each,
            )
            columns.append(column)
            if plain:
                print(f"\n{results.summary(column)}")
    date = datetime.now(UTC).date().isoformat()
    if args.json:
        print(json.dumps(results.as_json(columns, date), indent=2, ensure_ascii=False))
    elif args.matrix:
        print(results.as_matrix(columns, date), end="")
    return columns


def _chosen(cases: Sequence[Case], names: Sequence[str]) -> Sequence[Case]:
    chosen = []
    for name in names:
        found = [
            case
            for case in cases
            if case.name == name or (name.endswith("*") and case.name.startswith(name[:-1]))
        ]
        if not found:
            raise PipelineError(
                Code.USAGE,
                "No such case.",
                where=f"--case {name}",
                hint="`wasi-nn conformance --list` shows all cases.",
            )
        chosen += found
    return [case for case in cases if case in chosen] if names else cases


def _allowed(allow: str | None) -> list[Verdict]:
    from pipeline.conformance.case import Verdict

    return [Verdict.CONFORMS, Verdict.DIFFERS] if allow == "differs" else [Verdict.CONFORMS]


def _write_kit(folder: Path, cases: Sequence[Case]) -> int:
    from pipeline.conformance.runner.kit import write_kit

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(
            Code.USAGE,
            "The folder of --kit is not empty.",
            where=str(folder),
            hint="Give a folder that does not exist, or empty it.",
        )
    try:
        write_kit(folder, cases)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE, "Cannot write the kit.", where=str(folder), found=str(error)
        ) from None
    print(f"{len(cases)} cases in {folder}; see its README.md")
    return 0
