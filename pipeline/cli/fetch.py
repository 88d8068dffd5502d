"""`wasi-nn fetch`: download and verify a published fixture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.verbosity import add_verbosity, show_progress

_EPILOG = """\
examples:
  wasi-nn fetch squeezenet@1.0 --from https://fixtures.example -o fixtures
  write fixtures/squeezenet and print that path

  folder=$(wasi-nn fetch squeezenet@1.0 --from oci://registry.example/nn)
  wasi-nn run --dir "$folder::fixture" "$folder/classify.wasm" -- cat
  run it from the cache; the second time needs no network
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
        "fixture",
        metavar="NAME[@VERSION]",
        help="the fixture; VERSION may be a prefix (1 is the newest 1.x; default: the newest)",
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
    parser.add_argument("--offline", action="store_true", help="use only the cache")
    add_verbosity(parser, "show no progress, only the path")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Fetch and print the path; raises PipelineError."""
    from pipeline.publish.fetch_release import fetch

    name, _, version = args.fixture.partition("@")
    with show_progress(args, args.fixture) as progress:
        folder = fetch(
            name,
            version=version,
            sources=args.sources,
            out=args.out,
            expect=args.expect,
            key=args.key,
            evidence=args.evidence,
            offline=args.offline,
            progress=progress,
        )
    print(folder)
    return 0
