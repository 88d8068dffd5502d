"""`wasi-nn init`: write a new project."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from pipeline.config.schema import LanguageName
from pipeline.errors import Code, PipelineError

_EPILOG = """\
example:
  wasi-nn init fixtures && cd fixtures
  doit
  wasi-nn new my-net net.onnx --image cat.jpg
  wasi-nn init --guest rust

  writes dodo.py, configs/, requirements.txt, a README, .gitignore, a workflow and a pre-commit
  hook. Files that are there already are kept. The built-in guests are there by name; a guest of the
  same name in configs/guests takes their place. In a project, --guest adds the guest alone.
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
    if args.guest and (root / "dodo.py").is_file() and (root / "configs").is_dir():
        return _add_guest(root, args.guest)
    if (root / "dodo.py").exists() or (root / "configs").exists():
        raise PipelineError(
            Code.USAGE,
            "There is a project already.",
            where=str(root.absolute()),
            expected="a folder without dodo.py and configs/",
            hint="`wasi-nn new` adds a fixture to it, and `wasi-nn init --guest c` a guest.",
        )
    package = installation()
    here_only = package.url.startswith("file:")
    # A path of this machine is of no use to others.
    named = Installation(package.version) if here_only else package
    required = named.requirement("build")
    written, kept = _write(root, project_files(required, args.guest))
    _print_files(root, [*written, *(f"{name} (kept as it is)" for name in kept)])
    if here_only:
        print(
            f"note: requirements.txt names {required}, but this one was installed from "
            f"{package.url}: other machines need that too"
        )
    _print_next(root, ["doit"])
    return 0


def _add_guest(root: Path, language: str) -> int:
    """Write a guest into a project that is there, under a name that is free."""
    from pipeline.cli.project_files import GUEST, guest_files

    names = (GUEST, f"{GUEST}-{language.replace('+', 'p')}")
    free = (name for name in names if not _taken(root, name))
    name = next(free, None)
    if name is None:
        raise PipelineError(
            Code.USAGE,
            f"Other guests are named {' and '.join(map(repr, names))}.",
            where=str((root / "configs/guests").absolute()),
            hint=f"Rename one: its config, and its folder guests/{names[1]}.",
        )
    written, _ = _write(root, guest_files(language, name))
    _print_files(root, written)
    _print_next(root, [f"wasi-nn new my-net net.onnx --guest {name}", "doit"])
    print(f'  a fixture runs it with program = "{name}" under [guest]')
    return 0


def _taken(root: Path, name: str) -> bool:
    return any(
        os.path.lexists(root / each) for each in (f"configs/guests/{name}.toml", f"guests/{name}")
    )


def _print_files(root: Path, lines: Sequence[str]) -> None:
    print("\n".join([f"{root.absolute()}:", *(f"  {line}" for line in lines)]))


def _print_next(root: Path, commands: Sequence[str]) -> None:
    """Print the commands that follow; without doit, first the one that installs it."""
    from pipeline.cli.extras import install_command

    enter = [] if root.absolute() == Path.cwd() else [f"cd {_quoted(root)}"]
    install = [] if find_spec("doit") else [install_command("build")]
    print("\n".join(["next:", *(f"  {each}" for each in [*install, *enter, *commands])]))


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
