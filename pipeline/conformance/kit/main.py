"""The command line of the kit: `python conformance.py --adapter wasmtime`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import runpy
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.conformance.kit.baseline import compare, read_baseline, record
from pipeline.conformance.kit.cases import ConformanceHost, KitCase, read_cases
from pipeline.conformance.kit.explain import explain
from pipeline.conformance.kit.judge import LEVELS, OTHER, Result
from pipeline.conformance.kit.report import as_github, as_json, as_junit, line_of, summary
from pipeline.conformance.kit.run_cases import run, run_all

_EPILOG = """\
verdicts:
  conforms
  another answer   conforms, but this suite recommends another errno (level choice)
  not offered      an extension that the host does not have
  differs          another result, or the guest trapped, without a safety risk
  unsafe           the host crashed or hung, returned bytes that are not the guest's, or reported
                   success for what cannot be right

exit code:
  0 if no case of the levels fails, 1 if one does, 2 for a usage error. An unsafe result fails on
  every level. With --baseline, 1 only if an answer is worse or other than recorded.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite beside this file; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(arguments)
    kit = Path(__file__).resolve().parent
    try:
        suite = json.loads((kit / "kit.json").read_text(encoding="utf-8"))["suite"]
        if args.guest:
            return _one(_host(args, kit, parser), Path(args.guest), args.seconds)
        cases = select(read_cases(kit, args.encodings), args.names)
        if args.list:
            print("\n".join(f"{case.level:<9}  {case.title:<34}  {case.rule}" for case in cases))
            return 0
        host = _host(args, kit, parser)
        if args.explain:
            for case in select(read_cases(kit, args.encodings), [args.explain]):
                print(explain(kit, host, run(host, case, args.seconds)))
            return 0
        return _run(args, host, cases, suite)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="conformance.py",
        description="Run the wasi-nn conformance suite on a host, each case in its own process.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--adapter", metavar="NAME", help="a file in adapters/, or the path of another")
    add("--host", metavar="COMMAND", help="a command with {wasm}, and {args}, {graph}, {models}")
    add(
        "--graph",
        default="",
        metavar="WORDS",
        help="what {graph} stands for, for each named "
        "graph, with {name}, {encoding}, {path} and {files}",
    )
    add("--folder", default="", metavar="PATH", help="where the command runs; {models} is replaced")
    add("--name", metavar="NAME", help="the host's name in the results")
    add("--version", metavar="VERSION", help="the host's version in the results")
    add(
        "--encodings",
        type=_words,
        default=["openvino"],
        metavar="LIST",
        help="encodings that the host has: openvino, onnx, tensorflowlite (default: openvino); "
        "component for guests that are components",
    )
    add(
        "--level",
        type=_levels,
        default=["safety", "spec"],
        metavar="LIST",
        help="levels that fail: safety, spec, extension, choice (default: safety,spec)",
    )
    add(
        "--case",
        dest="names",
        action="append",
        default=[],
        metavar="NAME",
        help="run only this case, or with a trailing * all with this prefix; repeatable",
    )
    add("--seconds", type=float, default=60.0, metavar="N", help="time limit of each case")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="cases in parallel")
    add(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="record the answers in a file that does not "
        "exist; else fail only for answers that are worse or other",
    )
    add("--update-baseline", action="store_true", help="record the answers again")
    add("--json", type=Path, metavar="FILE", help="also write JSON")
    add("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    add("--github", action="store_true", help="also print annotations for GitHub Actions")
    add("--list", action="store_true", help="list the cases and exit")
    add("--explain", metavar="CASE", help="print a page about a case, to be sent to a maintainer")
    add(
        "--guest",
        metavar="FILE",
        help="run one case for another runner, which reads the result "
        "from its output and exit code",
    )
    add("-q", "--quiet", action="store_true", help="show only what fails, and the summary")
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _levels(text: str) -> list[str]:
    words = _words(text)
    if not words or any(word not in LEVELS for word in words):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(LEVELS)}")
    return words


def _host(args: argparse.Namespace, kit: Path, parser: argparse.ArgumentParser) -> ConformanceHost:
    if args.host and "{wasm}" in args.host:
        command = shlex.split(args.host)
        name = args.name or Path(command[0]).name
        return ConformanceHost(
            name, args.version or "", command, shlex.split(args.graph), args.folder
        )
    if not args.adapter:
        parser.error("give --adapter NAME, or --host with a command that contains {wasm}")
    return adapted(kit, args.adapter, args.name, args.version)


def adapted(kit: Path, adapter: str, name: str | None, version: str | None) -> ConformanceHost:
    """Return the host of an adapter; raises OSError, also if the host's version is unknown."""
    path = Path(adapter) if adapter.endswith(".py") else kit / "adapters" / f"{adapter}.py"
    facts = runpy.run_path(str(path))
    if version is None:
        try:
            version = str(facts["get_version"]())
        except subprocess.CalledProcessError as error:
            raise OSError(f"{adapter} does not report its version: {error}") from None
    return ConformanceHost(
        name or facts["get_name"](),
        version,
        facts["COMMAND"],
        facts["GRAPH"],
        facts.get("FOLDER", ""),
        options=facts.get("OPTIONS", {}),
    )


def select(cases: Sequence[KitCase], names: Sequence[str]) -> list[KitCase]:
    """Return the cases of these names or prefixes; raises ValueError if one has none."""
    chosen = set()
    for name in names:
        found = {
            case.title
            for case in cases
            if case.title == name or (name.endswith("*") and case.title.startswith(name[:-1]))
        }
        if not found:
            raise ValueError(f"there is no case {name}; --list shows all")
        chosen |= found
    return [case for case in cases if case.title in chosen or not names]


def _one(host: ConformanceHost, guest: Path, seconds: float) -> int:
    """Judge one case; print what its file expects and exit so if it conforms."""
    folder = guest.resolve().parent
    (case,) = (each for each in read_cases(folder.parent, [folder.name]) if each.name == guest.stem)
    result = run(host, case, seconds)
    if not result.fails(LEVELS) or result.verdict == OTHER:
        print(case.stdout or "", end="")
        return case.exit_code
    print(f"{result.verdict}: {result.found}")
    return 1


def _run(
    args: argparse.Namespace, host: ConformanceHost, cases: Sequence[KitCase], suite: int
) -> int:
    def each(result: Result) -> None:
        if not args.quiet or result.fails(args.level):
            print(line_of(result), flush=True)

    results = run_all(host, cases, args.seconds, args.jobs, each)
    print(f"\n{summary(host, results)}")
    failed = [result for result in results if result.fails(args.level)]
    if args.baseline and args.baseline.exists() and not args.update_baseline:
        changes = compare(results, read_baseline(args.baseline, suite), args.level)
        failed = changes.failed
        print("\n".join(["", *changes.lines]) if changes.lines else "\nas in the baseline")
        if changes.better:
            print("record what got better with --update-baseline")
    elif args.baseline:
        args.baseline.write_text(record(host, results, suite), encoding="utf-8")
        failed = []
        print(f"\nrecorded in {args.baseline}")
    columns = [(host, results)]
    if args.json:
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        text = json.dumps(as_json(columns, suite, today), indent=2, ensure_ascii=False)
        args.json.write_text(text + "\n", encoding="utf-8")
    if args.junit:
        args.junit.write_text(as_junit(columns, failed), encoding="utf-8")
    if args.github:
        print(as_github(results, failed), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
