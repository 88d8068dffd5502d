"""The candidates for a command line that begins with `doit`, which a shell requests at each TAB.

Task names come from doit's loader, so any dodo.py is completed. If it cannot be loaded, for example
because of an error in the configs, there are no task names and no message.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Any

from pipeline.execution.step_name import StepName

_OTHER_VALUES = ("dodoFile", "outfile", "dep_file")


def main() -> None:
    """Print the candidates to the shell, by argcomplete's protocol."""
    import argcomplete

    words = _words()
    command = words[0] if words and words[0] in command_names() else ""
    argcomplete.autocomplete(_parser(command, words), always_complete_options=False)


def command_names() -> Mapping[str, str]:
    """Return doit's commands, and those that packages add, without importing them."""
    from doit.doit_cmd import DoitMain

    own = {each.get_name(): each.doc_purpose for each in DoitMain.DOIT_CMDS}
    added = {each.name: "" for each in entry_points(group="doit.COMMAND")}
    return {**added, **own}


def task_names(prefix: str, words: Sequence[str]) -> dict[str, str]:
    """Return the candidate tasks: groups, and the steps of the group in ``prefix``."""
    tasks = {task.name: task for task in _tasks(words)}
    group = StepName.parse(prefix).kind
    found = {}
    for name, task in tasks.items():
        if task.subtask_of is None:
            found[name] = task.doc or ""
            if task.has_subtask and name == prefix:
                found[f"{name}:"] = task.doc or ""
        elif task.subtask_of == group:
            found[name] = task.doc or ""
    return found


def _words() -> list[str]:
    """Return the words before the cursor, without the program and the incomplete word."""
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT") or 0)]
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    whole = line[-1:].isspace()
    return words[1:] if whole else words[1:-1]


def _tasks(words: Sequence[str]) -> Sequence[Any]:
    from doit.cmd_base import DodoTaskLoader
    from doit.cmd_list import List

    given: dict[str, Any] = {"dodoFile": "dodo.py", "cwdPath": None, "seek_file": False}
    for word, following in pairwise([*words, ""]):
        if word == "-f":
            given["dodoFile"] = following
        elif word.startswith("--file="):
            given["dodoFile"] = word.partition("=")[2]
        elif word in ("-k", "--seek-file"):
            given["seek_file"] = True
    try:
        loader = DodoTaskLoader()
        loader.setup(given)
        loader.load_doit_config()
        found: Sequence[Any] = loader.load_tasks(cmd=List(task_loader=loader), pos_args=[])
    except (Exception, SystemExit):
        return ()
    return found


def _parser(command: str, words: Sequence[str]) -> argparse.ArgumentParser:
    from argcomplete.completers import FilesCompleter

    parser = argparse.ArgumentParser(prog="doit", add_help=False)
    if command:
        parser.add_argument("command", choices=[command])
    kind = _command(command or "run")
    for option in _options(kind):
        _add(parser, option)
    if kind is not None and _takes_tasks(command, kind):
        # The first word may be a command; `help` is followed by one.
        more = command_names() if not words or command == "help" else {}
        names = parser.add_argument("names", nargs="*")
        _complete(names, lambda prefix, **_: {**task_names(prefix, words), **more})
    elif command == "completion":
        from pipeline.cli.completion import SHELLS

        parser.add_argument("shell", choices=SHELLS)
    else:
        _complete(parser.add_argument("names", nargs="*"), FilesCompleter())
    return parser


def _options(kind: Any) -> Sequence[Mapping[str, Any]]:
    """Return the options of a command, with those of all commands that load a dodo.py."""
    from doit.cmd_base import DodoTaskLoader, DoitCmdBase

    if kind is None:
        return ()
    if not issubclass(kind, DoitCmdBase):
        return tuple(kind.cmd_options)
    return (*kind.cmd_options, *kind.base_options, *DodoTaskLoader.cmd_options)


def _takes_tasks(command: str, kind: Any) -> bool:
    return command in ("", "help") or "TASK" in (kind.doc_usage or "")


def _command(name: str) -> Any:
    """Return the class of a command, which an entry point may have replaced; or None."""
    from doit.doit_cmd import DoitMain

    for point in entry_points(group="doit.COMMAND"):
        if point.name == name:
            try:
                return point.load()
            except Exception:
                return None
    return next((each for each in DoitMain.DOIT_CMDS if each.get_name() == name), None)


def _add(parser: argparse.ArgumentParser, option: Mapping[str, Any]) -> None:
    flags = [*_flag("-", option.get("short")), *_flag("--", option.get("long"))]
    if not flags:
        return
    settings = {"help": " ".join(str(option.get("help", "")).split()), "dest": option["name"]}
    if option.get("type") is bool:
        parser.add_argument(*flags, action="store_true", **settings)
        return
    choices = [each[0] for each in option.get("choices", ())] or None
    action = parser.add_argument(*flags, choices=choices, **settings)
    if choices is None and option["name"] not in _OTHER_VALUES:
        _complete(action, lambda **_: ())


def _flag(dashes: str, name: str | None) -> Iterator[str]:
    if name:
        yield f"{dashes}{name}"


def _complete(action: argparse.Action, completer: Callable[..., Iterable[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined] # argcomplete's own way


if __name__ == "__main__":
    main()
