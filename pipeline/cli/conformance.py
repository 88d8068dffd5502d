"""`wasi-nn conformance`: what a wasi-nn host answers to every case."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.volume import add_quiet
from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from pipeline.verify.conformance.case import Case, Verdict
    from pipeline.verify.conformance.suite import HostResults

_EPILOG = """\
examples:
  wasi-nn conformance
  runs all cases on the embedded host

  wasi-nn conformance --host wasmtime --allow differs
  runs them on the Wasmtime CLI, and fails only for what is unsafe

  wasi-nn conformance --host 'iwasm --dir={dir} {wasm}' --host this --matrix
  puts another host beside this one, in Markdown

verdicts:
  conforms; differs: another errno than the expected one, or the guest's end, where nothing is at
  risk; unsafe: a crash or hang of the host, bytes that are not the guest's, or success for what
  cannot be right.

exit code:
  0 when every case conforms (or is allowed), 1 when one does not, or for an error.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "conformance",
        help="run the conformance suite on this or another wasi-nn host",
        description=(
            "Asks a wasi-nn host every case of the suite, each by a small guest in a process of "
            "its own, so that a crash or hang of the host is a result."
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
        help="this (the default), wasmtime, wasmedge, iwasm, or a command in which {wasm} stands "
        "for the guest and {dir} for the folder of the named graphs; may be given more than once",
    )
    parser.add_argument(
        "--case",
        dest="names",
        action="append",
        default=[],
        metavar="NAME",
        help="only this case, or with a * at its end those that begin so",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="the wall time of each case, after which the host hangs (default: 60)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="cases at a time (default: the cores)"
    )
    parser.add_argument(
        "--allow",
        choices=("differs",),
        help="do not fail for this verdict",
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="as JSON, for programs")
    shape.add_argument("--matrix", action="store_true", help="as Markdown, the hosts side by side")
    shape.add_argument("--list", action="store_true", help="show what each case asks, and run none")
    add_quiet(parser, "show only the cases that do not conform, and the sum")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="FOLDER",
        help="write the guests, models and expectations into a new folder, and run none",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the suite; returns 1 where a host does not conform. Raises PipelineError."""
    from pipeline.verify.conformance.cases import CASES

    cases = _chosen(CASES, args.names)
    if args.list:
        for case in cases:
            print(f"{case.name:<30}  {case.asks}")
        return 0
    if args.kit is not None:
        return _write_kit(args.kit, cases)
    if args.seconds <= 0 or (args.jobs is not None and args.jobs < 1):
        raise PipelineError(Code.USAGE, "--seconds and --jobs must be more than 0.")
    columns = _run(args, cases)
    allowed = _allowed(args.allow)
    if args.junit is not None:
        from pipeline.store.atomic import write_bytes
        from pipeline.verify.conformance.results import as_junit

        write_bytes(args.junit, as_junit(columns, allowed).encode())
    ok = all(result.verdict in allowed for column in columns for result in column.results)
    return 0 if ok else 1


def _run(args: argparse.Namespace, cases: Sequence[Case]) -> list[HostResults]:
    from pipeline.verify.conformance import results
    from pipeline.verify.conformance.case import Verdict
    from pipeline.verify.conformance.hosts import named_host, this_host
    from pipeline.verify.conformance.kit import write_kit
    from pipeline.verify.conformance.suite import Result, run_suite

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
                "There is no such case.",
                where=f"--case {name}",
                hint="wasi-nn conformance --list shows all.",
            )
        chosen += found
    return [case for case in cases if case in chosen] if names else cases


def _allowed(allow: str | None) -> list[Verdict]:
    from pipeline.verify.conformance.case import Verdict

    return [Verdict.CONFORMS, Verdict.DIFFERS] if allow == "differs" else [Verdict.CONFORMS]


def _write_kit(folder: Path, cases: Sequence[Case]) -> int:
    from pipeline.verify.conformance.kit import write_kit

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(
            Code.USAGE,
            "The folder for the kit is not empty.",
            where=str(folder),
            hint="Name a folder that does not exist, or remove what is in it.",
        )
    try:
        write_kit(folder, cases)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE, "The kit cannot be written.", where=str(folder), found=str(error)
        ) from None
    print(f"{len(cases)} cases in {folder}; see its README.md")
    return 0
