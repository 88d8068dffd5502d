"""`wasi-nn completion`: print the shell's completion script, and answer its requests."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\
examples:
  echo 'eval "$(wasi-nn completion bash)"' >>~/.bashrc
  wasi-nn completion zsh >"${fpath[1]}/_wasi-nn"
  wasi-nn completion fish >~/.config/fish/completions/wasi-nn.fish

  `doit completion SHELL` does the same for doit's commands and tasks.
"""


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "completion",
        help="print a shell completion script for commands, options and names",
        description="Prints a completion script for the shell to source.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["wasi-nn"], shell=args.shell))
    return 0


def is_completing() -> bool:
    """Return whether a shell has started this process to complete its command line."""
    return "_ARGCOMPLETE" in os.environ


def complete(parser: argparse.ArgumentParser) -> None:
    """Print the completions and exit the process."""
    import argcomplete

    for action in _actions(parser):
        if completer := _COMPLETERS.get(action.dest):
            action.completer = completer  # type: ignore[attr-defined] # argcomplete's interface
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _cases(**_: object) -> Mapping[str, str]:
    from pipeline.conformance.cases.all_cases import CASES

    return {case.title: case.rule for case in CASES}


def _hosts(**_: object) -> Iterable[str]:
    from pipeline.conformance.hosts import KNOWN

    return KNOWN


def _folders(prefix: str, **_: object) -> Iterable[str]:
    from argcomplete.completers import DirectoriesCompleter

    found: Iterable[str] = DirectoriesCompleter()(prefix)
    return found


# By the `dest` of the argument; all others complete file names.
_COMPLETERS: Mapping[str, Callable[..., Iterable[str]]] = {
    "folders": _folders,
    "hosts": _hosts,
    "names": _cases,
    "out": _folders,
    "project": _folders,
}
