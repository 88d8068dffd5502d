"""`wasi-nn validate`: whether a fixture's folder is what it says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.volume import add_quiet
from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from pipeline.publish.lock import Locked
    from pipeline.publish.validation.finding import Validation

_UNCHECKED = 2

_EPILOG = """\
examples:
  wasi-nn validate artifacts/squeezenet --lock artifacts/lock.json
  wasi-nn validate fixtures --github --junit fixtures.xml
  wasi-nn validate elsewhere/squeezenet --key publisher.pub

what is checked:
  every file against the manifest, SHA256SUMS and the lock; that nothing else lies in the
  folder; that xml and bin belong together; that each tensor's bytes fit its name and do not
  look like another layout; that the guest imports what is declared; licences and sources; then
  the inference is run again in the sandbox, and its outputs must be the expected ones.

  A manifest and its sums can be edited together. So a folder is valid only against something that
  is trusted: its root digest (--expect), the key that it was signed with (--key) or a lock
  (--lock); without, it is 'consistent, origin unknown'.

exit code:
  0 valid or consistent, 1 invalid, 2 could not be checked.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "validate",
        help="check a fixture's folder: files, tensors, guest, and the inference itself",
        description="Checks the folders of fixtures, from wherever they come.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="a fixture's folder, or one of fixtures",
    )
    parser.add_argument(
        "--expect",
        default="",
        metavar="sha256:…",
        help="the root digest that the folder must have, as `doit publish` printed it",
    )
    parser.add_argument(
        "--lock", type=Path, metavar="FILE", help="the lock.json that the files must agree with"
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="PEM",
        help="the public key that the folder must be signed with (OpenSSF model-signing)",
    )
    parser.add_argument(
        "--signature", type=Path, metavar="FILE", help="the signature (default: DIR/model.sig)"
    )
    parser.add_argument(
        "--no-run", action="store_true", help="look at the files alone; execute nothing of them"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_quiet(parser, "show only the folders that are invalid")
    parser.add_argument(
        "--github", action="store_true", help="also print annotations for GitHub Actions"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write JUnit XML")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Validate, report, and return the exit code."""
    from pipeline.publish.validation.validate import validate

    try:
        if args.expect and len(args.folders) > 1:
            raise PipelineError(Code.USAGE, "--expect is of one folder.")
        if args.signature and (not args.key or len(args.folders) > 1):
            raise PipelineError(Code.USAGE, "--signature is of one folder, and needs --key.")
        lock = _locked(args.lock)
        validations = [
            validate(
                folder,
                expect=args.expect,
                lock=lock,
                key=args.key,
                signature=args.signature,
                run=not args.no_run,
            )
            for given in args.folders
            for folder in _fixtures(given)
        ]
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return _UNCHECKED
    return report(
        validations, as_json=args.json, github=args.github, junit=args.junit, quiet=args.quiet
    )


def report(
    validations: list[Validation],
    *,
    as_json: bool,
    github: bool,
    junit: Path | None,
    quiet: bool = False,
) -> int:
    """Print and write what was found; return 1 where a folder is invalid, else 0."""
    from pipeline.publish.validation import told
    from pipeline.store.atomic import write_bytes

    if junit is not None:
        try:
            write_bytes(junit, told.as_junit(validations).encode())
        except OSError as error:
            fault = PipelineError(
                Code.STORAGE,
                "The report cannot be written.",
                where=str(junit),
                found=error.strerror or str(error),
            )
            print(fault.render(), file=sys.stderr)
            return _UNCHECKED
    shown = [each for each in validations if each.findings] if quiet else validations
    if as_json:
        print(told.as_json(validations))
    elif shown:
        print(told.as_text(shown).rstrip("\n"))
    if github:
        print(told.as_annotations(validations), end="")
    return 1 if any(each.findings for each in validations) else 0


def _fixtures(folder: Path) -> list[Path]:
    """Return the folder, or those below it when they have manifests and it has none."""
    if (folder / "manifest.json").exists() or not folder.is_dir():
        return [folder]
    below = sorted(path.parent for path in folder.glob("[!.]*/manifest.json"))
    return below or [folder]


def _locked(path: Path | None) -> Mapping[str, Locked] | None:
    from pipeline.publish.lock import read_lock

    if path is None:
        return None
    if not path.is_file():
        raise PipelineError(Code.USAGE, "There is no such lock.", where=str(path))
    return read_lock(path).fixtures
