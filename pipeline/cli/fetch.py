"""`wasi-nn fetch`: download and verify a published fixture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.cli.verbosity import add_verbosity, show_progress
from pipeline.errors import Code, PipelineError

_EPILOG = """\
examples:
  wasi-nn fetch squeezenet@1.0 --from https://fixtures.example -o fixtures
  write fixtures/squeezenet and print that path

  folder=$(wasi-nn fetch squeezenet@1.0 --from oci://registry.example/nn)
  wasi-nn run --dir "$folder::fixture" "$folder/classify.wasm" -- cat
  run it from the cache; the second time needs no network

  wasi-nn fetch --list --from published
  list what a folder, a site or a bucket has
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "fetch",
        help="download and verify a published fixture",
        description=(
            "Downloads the missing files of a published fixture, checks every byte against the "
            "release's digests, and installs its folder atomically. Prints the folder's path."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "fixtures",
        nargs="*",
        metavar="NAME[@VERSION]",
        help="a fixture; VERSION may be a prefix (1 is the newest 1.x; default: the newest)",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the fixtures of the sources and their versions"
    )
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="URL of a site (https://…), oci://HOST/NAMESPACE, hf://OWNER, s3://…, gs://…, az://… "
        "or a folder; repeatable, tried in order",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="write DIR/NAME (default: in the cache)"
    )
    parser.add_argument(
        "--expect",
        default="",
        metavar="sha256:…",
        help="root digest that the release must have, as printed by `doit publish`",
    )
    parser.add_argument(
        "--key", type=Path, metavar="PEM", help="public key that must have signed the release"
    )
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also download the evidence of its build: outputs, ONNX's test_data_set_0",
    )
    parser.add_argument(
        "--allow-changed",
        action="store_true",
        help="accept a version that has other content than when this machine first fetched it",
    )
    parser.add_argument("--offline", action="store_true", help="use only the cache")
    add_verbosity(parser, "show no progress, only the path")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Fetch and print each path; raises PipelineError."""
    from pipeline.publish.fetch_release import fetch

    if args.list:
        return _list(args.sources)
    if not args.fixtures:
        raise PipelineError(Code.USAGE, "No fixture is named.", expected="NAME, or --list")
    if args.expect and len(args.fixtures) > 1:
        raise PipelineError(Code.USAGE, "--expect needs a single fixture.")
    for fixture in args.fixtures:
        name, _, version = fixture.partition("@")
        with show_progress(args, fixture) as progress:
            folder = fetch(
                name,
                version=version,
                sources=args.sources,
                out=args.out,
                expect=args.expect,
                key=args.key,
                evidence=args.evidence,
                offline=args.offline,
                allow_changed=args.allow_changed,
                progress=progress,
            )
        print(folder, flush=True)
    return 0


def _list(sources: Sequence[str]) -> int:
    from pipeline.publish.fetch_release import list_releases

    if not sources:
        raise PipelineError(Code.USAGE, "No source to list.", expected="--from with a URL")
    rows = [
        (name, version, f"{size / 1e6:.1f} MB")
        for source in sources
        for name, versions in list_releases(source).items()
        for version, size in versions.items()
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, version, size in rows:
        print(f"{name:<{widths[0]}}  {version:<{widths[1]}}  {size:>10}")
    return 0
