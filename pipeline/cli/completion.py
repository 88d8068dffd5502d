"""`wasi-nn completion`: what a shell needs to complete commands, flags and names; and what asks."""

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
        help="print what makes a shell complete commands, flags and names",
        description="Prints a script that a shell sources.",
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


def asked() -> bool:
    """Tell whether a shell has started us to learn what may come next on its line."""
    return "_ARGCOMPLETE" in os.environ


def answer(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what may come next, and end the process."""
    import argcomplete

    for action in _actions(parser):
        if completer := _COMPLETERS.get(action.dest):
            action.completer = completer  # type: ignore[attr-defined] # argcomplete's own way
    argcomplete.autocomplete(parser)


def _actions(parser: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _cases(**_: object) -> Mapping[str, str]:
    from pipeline.verify.conformance.cases import CASES

    return {case.name: case.asks for case in CASES}


def _hosts(**_: object) -> Iterable[str]:
    from pipeline.verify.conformance.hosts import KNOWN

    return KNOWN


def _folders(prefix: str, **_: object) -> Iterable[str]:
    from argcomplete.completers import DirectoriesCompleter

    found: Iterable[str] = DirectoriesCompleter()(prefix)
    return found


# By the name that the parsed argument has; all others complete files.
_COMPLETERS: Mapping[str, Callable[..., Iterable[str]]] = {
    "folders": _folders,
    "hosts": _hosts,
    "names": _cases,
    "out": _folders,
    "project": _folders,
}
