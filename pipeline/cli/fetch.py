"""`wasi-nn fetch`: a published fixture, checked, as a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pipeline.cli.volume import add_volume, progress

_EPILOG = """\
examples:
  wasi-nn fetch squeezenet@1.0 --from https://fixtures.example -o fixtures
  writes fixtures/squeezenet and prints that path

  folder=$(wasi-nn fetch squeezenet@1.0 --from oci://registry.example/nn)
  wasi-nn run --dir "$folder::fixture" "$folder/classify.wasm" -- cat
  runs it from the cache; the second time no network is needed
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "fetch",
        help="bring a published fixture here",
        description=(
            "Downloads what is missing of a published fixture, checks every byte against the "
            "release's digests, and lets its folder appear whole. Prints the folder's path."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "fixture",
        metavar="NAME[@VERSION]",
        help="the fixture; VERSION may be the beginning of one (1 is the newest 1.x), and is the "
        "newest without",
    )
    parser.add_argument(
        "--from",
        dest="sources",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="https://… of a site, oci://HOST/NAMESPACE, hf://OWNER, s3://…, gs://…, az://… or a "
        "folder; may be given more than once, and is tried in order",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="write DIR/NAME (default: in the cache)"
    )
    parser.add_argument(
        "--expect",
        default="",
        metavar="sha256:…",
        help="the root digest that the release must have, as `doit publish` printed it",
    )
    parser.add_argument(
        "--key", type=Path, metavar="PEM", help="the public key that it must be signed with"
    )
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="also what was found on the machine that built it: outputs, ONNX's test_data_set_0",
    )
    parser.add_argument("--offline", action="store_true", help="use only what was fetched before")
    add_volume(parser, "no progress, only the path")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Fetch and print the path; raises PipelineError."""
    from pipeline.publish.fetch import fetch

    name, _, version = args.fixture.partition("@")
    with progress(args, args.fixture) as say:
        folder = fetch(
            name,
            version=version,
            sources=args.sources,
            out=args.out,
            expect=args.expect,
            key=args.key,
            evidence=args.evidence,
            offline=args.offline,
            say=say,
        )
    print(folder)
    return 0
