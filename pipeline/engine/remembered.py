"""What a run with nothing to do has seen, so that the next one need only look for changes.

A step that was current stays current while no config, no code of the pipeline, no tool and no
version of a file that it reads or writes has changed. What is kept here may be deleted at any
time: the records decide, this only saves asking them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError
from pipeline.store.atomic import Aside
from pipeline.store.digest import Digest
from pipeline.store.known import TICK_NS, version_of
from pipeline.work.build import tool_version
from pipeline.work.code import PACKAGE, modules


class Step(msgspec.Struct, frozen=True, array_like=True):
    """A step as doit needs it; ``current`` when it and all before it were up to date."""

    name: str
    title: str
    targets: list[str]
    task_dep: list[str]
    current: bool


class Remembered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project's steps, and the version of each file that says they are up to date."""

    root: str
    stamp: str
    default: list[str]
    steps: list[Step]
    tools: dict[str, str]
    files: dict[str, str]


def stamp_of(root: Path) -> str:
    """Return the versions of every config and of the pipeline's own code, in one text.

    Empty when one was changed so lately that a further change could go unseen.
    """
    now = time.time_ns()
    folders = [root / "configs" / "fixtures", root / "configs" / "guests"]
    lines = [sys.version]
    project = str(root / "configs" / "project.toml")
    for path in (project, *_configs(folders), *modules(PACKAGE)):
        try:
            status = Path(path).stat()
        except OSError:
            lines.append(f"{path} none")
            continue
        if now - max(status.st_mtime_ns, status.st_ctime_ns) <= TICK_NS:
            return ""
        lines.append(f"{path} {version_of(status)}")
    return Digest.of_bytes("\n".join(lines).encode(errors="surrogateescape")).sha256


def place_of(root: Path) -> Path:
    """Return where a project's memory lies."""
    return root / "artifacts" / ".steps" / "remembered"


def recall(root: Path, place: Path, stamp: str) -> Remembered | None:
    """Return what is remembered of the project, if all of it still holds."""
    try:
        remembered = msgspec.msgpack.decode(place.read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError, RecursionError):
        return None
    if (remembered.root, remembered.stamp) != (str(root), stamp):
        return None
    try:
        for path, version in remembered.files.items():
            # Some 26,000 in a project of 1,000 fixtures: a Path for each would double the time.
            if version_of(os.stat(path)) != version:  # noqa: PTH116
                return None
        if any(tool_version(tool) != version for tool, version in remembered.tools.items()):
            return None
    except (OSError, PipelineError):
        return None
    return remembered


def remember(place: Path, remembered: Remembered, aside: Aside) -> None:
    """Keep it; where that cannot be written, nothing is lost but time."""
    with suppress(OSError), aside(place) as part:
        part.write_bytes(msgspec.msgpack.encode(remembered))


def forget(place: Path) -> None:
    """Drop what is remembered."""
    with suppress(OSError):
        place.unlink()


def settled(current: Iterable[str], needed: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the steps that are current and need only such steps, all the way up.

    ``needed`` gives what each step needs, in the order in which data flows.

    >>> sorted(settled({"a", "b", "d"}, {"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}))
    ['a', 'b']
    """
    known = set(current)
    good: set[str] = set()
    for name, others in needed.items():
        if name in known and good.issuperset(others):
            good.add(name)
    return good


def _configs(folders: Iterable[Path]) -> list[str]:
    found = []
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            found += [entry.path for entry in entries if entry.name.endswith(".toml")]
    return sorted(found)
