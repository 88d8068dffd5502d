"""`wasi-nn validate`: check the folder of a fixture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.limits import add_limits, limits
from pipeline.cli.verbosity import add_quiet
from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from pipeline.publish.release.lock_file import Lock
    from pipeline.publish.validation.finding import Validation

_UNCHECKED = 2

_EPILOG = """\
examples:
  wasi-nn validate artifacts/squeezenet --lock artifacts/lock.json
  wasi-nn validate fixtures --github --junit fixtures.xml
  wasi-nn validate elsewhere/squeezenet --key publisher.pub

what is checked:
  every file against the manifest, SHA256SUMS and the lock; that the card and the other files
  derived from the manifest are those; that the folder holds nothing else but evidence and datasets
  of known kinds, each with its digest;
  that xml and bin match; that each tensor's bytes fit its name and do not look like another
  layout; that the guest imports what is declared; licences and sources; then the inference runs
  again in the sandbox, and its outputs must be the expected ones.

  A manifest and its sums can be edited together. So a folder is valid only against something
  trusted: its root digest (--expect), the key that signed it (--key) or a lock (--lock);
  otherwise it is 'consistent, origin unknown'. With a lock or a key the folder must have the
  fixture's name. In a folder of fixtures, every folder must then be one, and every fixture of the
  lock must be there.

exit code:
  0 valid or consistent, 1 invalid, 2 could not be checked.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "validate",
        help="check a fixture's folder: files, tensors, guest, and inference",
        description="Checks folders of fixtures from any origin.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="folder of a fixture, or of several fixtures",
    )
    parser.add_argument(
        "--expect",
        default="",
        metavar="sha256:…",
        help="root digest that the folder must have, as printed by `doit publish`",
    )
    parser.add_argument(
        "--lock", type=Path, metavar="FILE", help="lock.json that the files must match"
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="PEM",
        help="public key that must have signed the folder (OpenSSF model-signing)",
    )
    parser.add_argument(
        "--signature", type=Path, metavar="FILE", help="signature (default: DIR/model.sig)"
    )
    parser.add_argument(
        "--no-run", action="store_true", help="check only the files, without running inference"
    )
    add_limits(parser, "each folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_quiet(parser, "show invalid folders only")
    parser.add_argument(
        "--github", action="store_true", help="also print annotations for GitHub Actions"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a JUnit XML report")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Validate, report, and return the exit code."""
    from pipeline.execution.bounded_call import BoundedCalls
    from pipeline.publish.validation.validate_folders import validate_folders

    try:
        if args.expect and len(args.folders) > 1:
            raise PipelineError(Code.USAGE, "--expect needs a single folder.")
        if args.signature and (not args.key or len(args.folders) > 1):
            raise PipelineError(Code.USAGE, "--signature needs a single folder and --key.")
        if not args.no_run:
            require_to_run()
        lock = _locked(args.lock)
        with BoundedCalls(*limits(args.seconds, args.memory)) as calls:
            validations = [
                validation
                for given in args.folders
                for validation in validate_folders(
                    given,
                    calls=calls,
                    expect=args.expect,
                    lock=lock,
                    key=args.key,
                    signature=args.signature,
                    run=not args.no_run,
                )
            ]
    except PipelineError as error:
        print(error.render(), file=sys.stderr)
        return _UNCHECKED
    return report(
        validations, as_json=args.json, github=args.github, junit=args.junit, quiet=args.quiet
    )


def require_to_run() -> None:
    """Raise PipelineError (TOOLCHAIN) if the inference cannot be run here."""
    from pipeline.cli.extras import require

    try:
        require("run")
    except PipelineError as error:
        error.hint += ", or check the files alone: --no-run"
        raise


def report(
    validations: list[Validation],
    *,
    as_json: bool,
    github: bool,
    junit: Path | None,
    quiet: bool = False,
) -> int:
    """Print and write the results; return 1 if a folder is invalid, 2 if one was not checked."""
    from pipeline.cache.atomic import write_bytes
    from pipeline.publish.validation import formatters
    from pipeline.publish.validation.finding import ValidationVerdict

    if junit is not None:
        try:
            write_bytes(junit, formatters.as_junit(validations).encode())
        except OSError as error:
            fault = PipelineError(
                Code.STORAGE,
                "Cannot write the report.",
                where=str(junit),
                found=error.strerror or str(error),
            )
            print(fault.render(), file=sys.stderr)
            return _UNCHECKED
    shown = [each for each in validations if each.findings] if quiet else validations
    if as_json:
        print(formatters.as_json(validations))
    elif shown:
        print(formatters.as_text(shown).rstrip("\n"))
    if github:
        print(formatters.as_annotations(validations), end="")
    verdicts = {each.verdict for each in validations}
    if ValidationVerdict.INVALID in verdicts:
        return 1
    return _UNCHECKED if ValidationVerdict.UNCHECKED in verdicts else 0


def _locked(path: Path | None) -> Lock | None:
    from pipeline.publish.release.lock_file import read_lock

    if path is None:
        return None
    if not path.is_file():
        raise PipelineError(Code.USAGE, "No such lock file.", where=str(path))
    return read_lock(path)
