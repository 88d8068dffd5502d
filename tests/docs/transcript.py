"""The console blocks of a page: commands with what they print, run as a reader would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
# Another host is seldom free of findings, and the command says so by its exit code.
_FINDING = ("wasi-nn conformance --host",)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Shown:
    """A command of a page, and the lines that it is said to print."""

    line: int
    command: str
    output: tuple[str, ...]


def shown_in(page: str) -> Iterator[Shown]:
    r"""Yield the commands of a page's console blocks, in order.

    >>> list(shown_in("```console\n$ true\n$ echo a\na\n```\n"))[1]
    Shown(line=3, command='echo a', output=('a',))
    """
    for block in _BLOCK.finditer(page):
        first = page.count("\n", 0, block.start(1)) + 1
        lines = block[1].splitlines()
        starts = [index for index, text in enumerate(lines) if text.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            output = tuple(text for text in lines[start + 1 : end] if text.strip())
            yield Shown(first + start, lines[start][2:], output)


def run(
    shown: Shown, folder: Path, environment: Mapping[str, str], printed: str
) -> tuple[str, Path]:
    """Run a command in a folder; return what it prints, and the folder that it changes to.

    It must end as it is said to.

    ``sha256:…`` in it is the last digest that was ``printed`` before.
    """
    command = shown.command
    if "sha256:…" in command:
        command = command.replace("sha256:…", _DIGEST.findall(printed)[-1])
    done = subprocess.run(
        ["bash", "-c", f"trap 'pwd >\"$HOME/.pwd\"' EXIT\n{command}"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    expected = int(command.startswith(_FINDING))
    assert done.returncode == expected, f"line {shown.line}: {command}\n{done.stdout}"
    return done.stdout, Path(Path(environment["HOME"], ".pwd").read_text().rstrip("\n"))


def agrees(shown: Shown, printed: str) -> bool:
    r"""Tell whether the lines that are shown were printed, one after the other; … is anything.

    >>> agrees(Shown(1, "c", ("a …", "c")), "first\na 17 s\nb\nc\n")
    True
    """
    at = 0
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for text in shown.output:
        pattern = ".*".join(map(re.escape, " ".join(text.split()).split("…")))
        found = (n for n, line in enumerate(lines[at:], at) if re.fullmatch(pattern, line))
        at = next(found, -1) + 1
        if at == 0:
            return False
    return True
