"""`wasi-nn conformance`: run the conformance suite on a wasi-nn host."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.verbosity import add_quiet
from pipeline.errors import Code, PipelineError
from pipeline.scratch import scratch_folder

if TYPE_CHECKING:
    from pipeline.conformance.case import Case
    from pipeline.conformance.kit.cases import ConformanceHost
    from pipeline.conformance.kit.judge import Result

Columns = list[tuple["ConformanceHost", list["Result"]]]

_EPILOG = """\
examples:
  wasi-nn conformance
  run the cases on the embedded host

  wasi-nn conformance --host wasmtime --baseline wasmtime.json
  record what the Wasmtime CLI answers; the next time, fail only if an answer changed

  wasi-nn conformance --host 'iwasm {wasm} {args}' --host this --matrix
  compare another host with this one, as Markdown

verdicts:
  conforms; another answer: conforms, but another errno is recommended; not offered: an extension
  that the host lacks; differs: another result, or the guest trapped, without a safety risk; unsafe:
  the host crashed or hung, returned bytes that are not the guest's, or reported success for what
  cannot be right.

exit code:
  0 if no case of the levels fails, 1 otherwise or on an error. An unsafe result always fails.
"""
_LEVELS = "safety,spec"


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
        "guest, {args} for its arguments, {graph} for the words of --graph, and {dir} for the "
        "folder of the named graphs; repeatable",
    )
    parser.add_argument(
        "--graph",
        metavar="WORDS",
        help="what {graph} stands for in such a command, for each named graph of a case: {name}, "
        "{encoding}, {path} (its folder) and {files} (joined by colons) are replaced",
    )
    parser.add_argument(
        "--folder", default="", metavar="PATH", help="where such a command runs; may have {dir}"
    )
    parser.add_argument("--name", metavar="NAME", help="the name of such a host in the results")
    parser.add_argument("--version", metavar="VERSION", help="its version in the results")
    parser.add_argument(
        "--encodings",
        default="openvino",
        metavar="LIST",
        help="the encodings of models that the hosts have: openvino (default), onnx, "
        "tensorflowlite, joined by commas; component for guests that are components",
    )
    parser.add_argument(
        "--level",
        default=_LEVELS,
        metavar="LIST",
        help=f"the levels that fail: safety, spec, extension, choice (default: {_LEVELS})",
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
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="record the answers of a host in a file that does not exist; else fail only for "
        "answers that are worse or other than recorded",
    )
    parser.add_argument(
        "--update-baseline", action="store_true", help="record the answers of a baseline again"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print JSON")
    shape.add_argument(
        "--matrix", action="store_true", help="print Markdown tables of all hosts, or of --list"
    )
    shape.add_argument(
        "--github", action="store_true", help="print annotations for GitHub Actions too"
    )
    parser.add_argument(
        "--results",
        dest="stored",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="with --matrix, add the hosts of a JSON of results; repeatable",
    )
    parser.add_argument("--list", action="store_true", help="list the cases and exit")
    parser.add_argument(
        "--explain",
        metavar="CASE",
        help="print a page about a case on the host, which can be sent to its maintainers",
    )
    add_quiet(parser, "show only cases that fail, and the summary")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a JUnit XML report")
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="FOLDER",
        help="write the guests, models, expectations and runner to a new folder and exit",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the suite; returns 1 if a host fails. Raises PipelineError."""
    from pipeline.conformance.cases.all_cases import CASES

    encodings = _encodings(args.encodings)
    cases = _chosen([case for case in CASES if case.encoding in encodings], args.names)
    if args.list:
        return _list(args, cases)
    if args.kit is not None:
        return _write_kit(args.kit)
    levels = _levels(args.level)
    if args.seconds <= 0 or (args.jobs is not None and args.jobs < 1):
        raise PipelineError(Code.USAGE, "--seconds and --jobs must be greater than 0.")
    if args.baseline and len(args.hosts) > 1:
        raise PipelineError(Code.USAGE, "A baseline is of one host; give one --host.")
    if args.explain:
        cases = _chosen(cases, [args.explain])
    with scratch_folder() as folder:
        columns = _run(args, cases, folder, levels)
    failed = [each for _, results in columns for each in results if each.fails(levels)]
    if args.allow == "differs":
        failed = [each for each in failed if each.verdict == "unsafe"]
    if args.baseline:
        failed = _compared(args, columns[0], levels)
    if args.github:
        from pipeline.conformance.kit.report import as_github

        print(as_github([each for _, results in columns for each in results], failed), end="")
    if args.junit is not None:
        from pipeline.cache.atomic import write_bytes
        from pipeline.conformance.kit.report import as_junit

        write_bytes(args.junit, as_junit(columns, failed).encode())
    return 1 if failed and not args.explain else 0


def _run(
    args: argparse.Namespace, cases: Sequence[Case], folder: Path, levels: Sequence[str]
) -> Columns:
    from pipeline.conformance.kit.cases import read_cases
    from pipeline.conformance.kit.explain import explain
    from pipeline.conformance.kit.report import line_of, summary
    from pipeline.conformance.kit.run_cases import run_all
    from pipeline.conformance.warm_host import warmed
    from pipeline.conformance.write_kit import write_kit

    kit, tools = folder / "kit", folder / "tools"
    tools.mkdir()
    hosts = _hosts(args, tools)
    write_kit(kit, cases)
    plain = not (args.json or args.matrix or args.explain)

    def each(result: Result) -> None:
        if plain and not (args.quiet and not result.fails(levels)):
            print(line_of(result), flush=True)

    chosen = read_cases(kit, tuple(dict.fromkeys(case.encoding for case in cases)))
    columns: Columns = []
    jobs = args.jobs or os.cpu_count() or 1
    for host in hosts:
        try:
            with warmed(host) as started:
                results = run_all(started, chosen, args.seconds, jobs, each)
        except OSError as error:
            raise PipelineError(
                Code.TOOLCHAIN,
                "The host cannot be started.",
                where=host.command[0],
                found=error.strerror or str(error),
                hint="Install it, or name its program with its path.",
            ) from None
        columns.append((host, results))
        if plain:
            print(f"\n{summary(host, results)}")
        elif args.explain:
            print("\n".join(explain(kit, host, result) for result in results))
    if args.json or args.matrix:
        _print_results(args, cases, columns)
    return columns


def _hosts(args: argparse.Namespace, tools: Path) -> list[ConformanceHost]:
    from pipeline.conformance.hosts import named_host, this_host, words_of

    hosts = []
    for text in args.hosts or ["this"]:
        host = this_host() if text == "this" else named_host(text, tools)
        if "{wasm}" in text:
            host = host._replace(graph=words_of(args.graph or "", "--graph"), folder=args.folder)
        given = {"name": args.name, "version": args.version}
        hosts.append(host._replace(**{key: value for key, value in given.items() if value}))
    return hosts


def _print_results(args: argparse.Namespace, cases: Sequence[Case], columns: Columns) -> None:
    from pipeline.conformance.hosts import THIS
    from pipeline.conformance.kit.report import as_json
    from pipeline.conformance.pages import as_matrix, column_of
    from pipeline.conformance.write_kit import VERSION

    document = as_json(columns, VERSION, datetime.now(UTC).date().isoformat())
    if args.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return
    shown = []
    for each in (document, *map(_stored, args.stored)):
        try:
            shown += [column_of(each, host, own=host["name"] == THIS) for host in each["hosts"]]
        except (KeyError, TypeError):
            raise PipelineError(Code.USAGE, "A file of --results is no result.") from None
    print(as_matrix(cases, shown), end="")


def _stored(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PipelineError(
            Code.USAGE, "Cannot read a file of --results.", where=str(path), found=str(error)
        ) from None


def _compared(
    args: argparse.Namespace, column: tuple[ConformanceHost, list[Result]], levels: Sequence[str]
) -> list[Result]:
    """Record the baseline, or print what changed and return what fails."""
    from pipeline.cache.atomic import write_bytes
    from pipeline.conformance.kit.baseline import compare, read_baseline, record
    from pipeline.conformance.write_kit import VERSION

    host, results = column
    if args.update_baseline or not args.baseline.exists():
        write_bytes(args.baseline, record(host, results, VERSION).encode())
        return []
    try:
        known = read_baseline(args.baseline, VERSION)
    except (OSError, ValueError) as error:
        raise PipelineError(
            Code.USAGE, "Cannot use the baseline.", where=str(args.baseline), found=str(error)
        ) from None
    changes = compare(results, known, levels)
    if not (args.json or args.matrix or args.explain):
        print("\n".join(changes.lines) or "as in the baseline")
    return changes.failed


def _list(args: argparse.Namespace, cases: Sequence[Case]) -> int:
    if args.matrix:
        from pipeline.conformance.cases.all_cases import CASES
        from pipeline.conformance.pages import as_list

        print(as_list(CASES), end="")
        return 0
    for case in cases:
        print(f"{case.title:<34}  {case.basis.level.value:<9}  {case.rule}")
    return 0


def _encodings(text: str) -> list[str]:
    from pipeline.conformance.models.formats import SUITES

    return _words(text, "--encodings", list(SUITES))


def _levels(text: str) -> list[str]:
    from pipeline.conformance.case import Level

    return _words(text, "--level", [level.value for level in Level])


def _words(text: str, option: str, known: Sequence[str]) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise PipelineError(
            Code.USAGE,
            f"Invalid {option}.",
            where=f"{option} {text}",
            expected=f"some of {', '.join(known)}, joined by commas",
            found=", ".join(map(repr, unknown)),
        )
    return words


def _chosen(cases: Sequence[Case], names: Sequence[str]) -> Sequence[Case]:
    chosen = []
    for name in names:
        found = [
            case
            for case in cases
            if name in (case.title, case.name)
            or (name.endswith("*") and (case.title.startswith(name[:-1])))
        ]
        if not found:
            raise PipelineError(
                Code.USAGE,
                "No such case.",
                where=f"--case {name}",
                hint="`wasi-nn conformance --list` shows all cases of the --encodings.",
            )
        chosen += found
    return [case for case in cases if case in chosen] if names else cases


def _write_kit(folder: Path) -> int:
    from pipeline.conformance.cases.all_cases import CASES
    from pipeline.conformance.write_kit import write_kit

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PipelineError(
            Code.USAGE,
            "The folder of --kit is not empty.",
            where=str(folder),
            hint="Give a folder that does not exist, or empty it.",
        )
    try:
        write_kit(folder, CASES)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE, "Cannot write the kit.", where=str(folder), found=str(error)
        ) from None
    print(f"{len(CASES)} cases in {folder}; see its README.md")
    return 0
