"""Run wasi-nn and write what it did to a file: ``ROOT TARGET ARGUMENTS…``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# Of the events that change folders: where their paths are, and the folders these are relative to.
_CHANGING = {
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((0, 2), (1, 3)),
    "os.symlink": ((1, 2),),
    "os.chmod": ((0, 2),),
}


def main(root: str, target: str, arguments: list[str]) -> None:
    """Run the command with an audit hook, which stays for the life of the process."""
    sink = open(target, "a", buffering=1)  # noqa: SIM115, PTH123

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
            # What is started is the whole command: a wrapper may come first.
            words = given[1] if event != "subprocess.Popen" else (given[1] or [given[0]])
            note("runs", *map(_text, words))
        elif event == "socket.connect" and isinstance(given[1], tuple):
            note("sends", str(given[1][0]))
        elif event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            # A folder is opened to make a file without a name in it.
            if not isinstance(given[0], int) and not Path(_text(given[0])).is_dir():
                note("writes", _absolute(given[0]))
        elif event in _CHANGING:
            for path, folder in _CHANGING[event]:
                if not isinstance(given[path], int):
                    named = _absolute(given[path], given[folder])
                    # What is there already is not made.
                    if event != "os.mkdir" or not Path(named).exists():
                        note("writes", named)

    def note(kind: str, *words: str) -> None:
        sink.write(json.dumps([kind, *words]) + "\n")

    sys.path.append(root)
    sys.argv = ["wasi-nn", *arguments]
    sys.addaudithook(hook)
    from pipeline.cli.main import main as run

    sys.exit(run())


def _text(word: object) -> str:
    return os.fsdecode(word) if isinstance(word, (bytes, os.PathLike)) else str(word)


def _absolute(path: object, folder: int | None = None) -> str:
    place = "." if folder in (None, -1) else f"/proc/self/fd/{folder}"
    parent, name = os.path.split(_text(path))
    # Not the path itself, which may be a link.
    return str(Path(place, parent).resolve() / name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
