"""`wasi-nn init`: write a new project."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, get_args

from pipeline.config.schema import LanguageName
from pipeline.errors import Code, PipelineError

_EPILOG = """\
example:
  wasi-nn init fixtures && cd fixtures
  doit
  wasi-nn new my-net net.onnx --image cat.jpg

  writes dodo.py, configs/, requirements.txt, a README, .gitignore, a workflow and a pre-commit
  hook. Files that are there already are kept. The built-in guests are there by name; a guest of the
  same name in configs/guests takes their place.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "init",
        help="write a new project with one fixture",
        description="Writes a small project: its settings, and one fixture that builds in a "
        "minute.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of the project (default: the current folder)",
    )
    parser.add_argument(
        "--guest",
        choices=sorted(set(get_args(LanguageName)) - {"wasm"}),
        help="also write a guest of your own in this language, to start from",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Write the project and print the next commands; raises PipelineError."""
    from pipeline.cli.extras import Installation, installation
    from pipeline.cli.project_files import project_files

    root = args.folder
    if (root / "dodo.py").exists() or (root / "configs").exists():
        raise PipelineError(
            Code.USAGE,
            "There is a project already.",
            where=str(root.absolute()),
            expected="a folder without dodo.py and configs/",
            hint="`wasi-nn new` adds a fixture to it.",
        )
    package = installation()
    here_only = package.url.startswith("file:")
    # A path of this machine is of no use to others.
    named = Installation(package.version) if here_only else package
    required = named.requirement("build")
    written, kept = _write(root, project_files(required, args.guest))
    lines = [f"{name}" for name in written]
    lines += [f"{name} (kept as it is)" for name in kept]
    print("\n".join([f"{root.absolute()}:", *(f"  {line}" for line in lines)]))
    if here_only:
        print(
            f"note: requirements.txt names {required}, but this one was installed from "
            f"{package.url}: other machines need that too"
        )
    enter = [] if root.absolute() == Path.cwd() else [f"  cd {_quoted(root)}"]
    print("\n".join(["next:", *enter, "  doit"]))
    return 0


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _write(root: Path, files: dict[str, bytes]) -> tuple[list[str], list[str]]:
    """Write the files that are not there; return the names of both kinds. On an error, none."""
    from pipeline.cache.atomic import write_bytes

    written: list[str] = []
    kept = [name for name in files if os.path.lexists(root / name)]
    try:
        for name, data in files.items():
            if name not in kept:
                write_bytes(root / name, data)
                written.append(name)
    except OSError as error:
        for name in written:
            (root / name).unlink(missing_ok=True)
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the project.",
            where=str(error.filename or root),
            found=error.strerror or str(error),
        ) from None
    return written, kept
