"""The project's steps as the last command saw them, so that the next need only look for changes.

The steps are the same while no config, no code of the pipeline and nothing else that declares them
has changed. A step that was current stays current while, in addition, no tool and no version of a
file that it reads or writes has changed. The snapshot may be deleted at any time: it only saves
reading the configs and the records. It is plain JSON, since importing more than that would be most
of the time that `doit list` takes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline import builtin
from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest
from pipeline.cache.file_version import TICK_NS, version_of
from pipeline.errors import PipelineError
from pipeline.execution.source_modules import PACKAGE, source_modules
from pipeline.execution.tool_version import tool_version
from pipeline.graph.kinds import KINDS

if TYPE_CHECKING:
    from pipeline.graph.step_graph import StepGraph


class SnapshotStep(NamedTuple):
    """A step as doit needs it; ``current`` when it and all before it were up to date.

    ``fixture`` is '' if it serves several.
    """

    kind: str
    label: str
    fixture: str
    title: str
    targets: list[str]
    task_dep: list[str]
    current: bool

    @property
    def name(self) -> str:
        """Return the name of the step."""
        return f"{self.kind}:{self.label}"


class Surroundings(NamedTuple):
    """What else decides which steps there are, besides configs and code.

    ``folders`` have a version each, as those have that pictures are listed from; ``packages`` say
    whether each is installed here; ``variables`` are those of the environment that must be set.
    """

    folders: dict[str, str]
    packages: dict[str, bool]
    variables: list[str]


class Snapshot(NamedTuple):
    """A project's steps, what declared them, and the versions that say which are up to date."""

    root: str
    stamp: str
    default: list[str]
    steps: list[SnapshotStep]
    around: Surroundings
    tools: dict[str, str]
    files: dict[str, str]


def project_stamp(root: Path) -> str:
    """Return the versions of every config and of the pipeline's own code, in one text.

    Empty when one was changed so lately that a further change could go unseen.
    """
    now = time.time_ns()
    configs = [root / "configs", builtin.FOLDER / "configs"]
    folders = [each / kind for each in configs for kind in ("fixtures", "guests")]
    lines = [sys.version]
    project = str(root / "configs" / "project.toml")
    for path in (project, *_configs(folders), *source_modules(PACKAGE)):
        try:
            status = Path(path).stat()
        except OSError:
            lines.append(f"{path} none")
            continue
        if now - max(status.st_mtime_ns, status.st_ctime_ns) <= TICK_NS:
            return ""
        lines.append(f"{path} {version_of(status)}")
    return Digest.of_bytes("\n".join(lines).encode(errors="surrogateescape")).sha256


def snapshot_path(root: Path) -> Path:
    """Return where a project's snapshot is."""
    return root / "artifacts" / ".steps" / "remembered"


def snapshot_steps(graph: StepGraph, current: Collection[str]) -> list[SnapshotStep]:
    """Return the steps of a project, of which some are ``current``."""
    return [
        SnapshotStep(
            each.kind,
            each.label,
            each.fixture,
            each.title,
            graph.shown(each),
            graph.needed(each),
            name in current,
        )
        for name, each in graph.steps.items()
    ]


def surroundings(project: StepGraph) -> Surroundings:
    """Return what the project's steps depend on besides configs and code, as it is now."""
    from pipeline.config.source_rules import guest_files
    from pipeline.graph.open_cache import variables
    from pipeline.toolchain.environment import TOOLCHAINS
    from pipeline.toolchain.toolchain_lock import lock_folders

    configs = project.configs
    watched = {
        (configs.guest_folder(name) / path).parent
        for name, guest in configs.guests.items()
        for path in guest_files(guest)
    }
    watched.update(lock_folders(configs.root))
    folders = {str(folder.absolute()): _version(str(folder)) for folder in watched}
    listed = [each for action in project.steps.values() for each in action.folders.items()]
    packages = [each.package for each in TOOLCHAINS.values() if each.package]
    return Surroundings(
        folders | {str(folder.absolute()): version for folder, version in listed},
        {name: _installed(name) for name in packages},
        list(variables(configs.project)),
    )


def load_snapshot(root: Path, place: Path, stamp: str) -> Snapshot | None:
    """Return the snapshot of the project, or None if its steps may have changed.

    If a tool or a file has changed, none of them is current.
    """
    snapshot = _read(place)
    if snapshot is None or (snapshot.root, snapshot.stamp) != (str(root), stamp):
        return None
    if not _holds(snapshot.around):
        return None
    if _unchanged(snapshot):
        return snapshot
    return snapshot._replace(steps=[each._replace(current=False) for each in snapshot.steps])


def save_snapshot(place: Path, snapshot: Snapshot) -> None:
    """Write the snapshot; if that fails, the next command takes longer."""
    with suppress(OSError, ValueError):
        write_bytes(place, json.dumps(snapshot._asdict()).encode())


def delete_snapshot(place: Path) -> None:
    """Delete the snapshot."""
    with suppress(OSError):
        place.unlink()


def transitively_current(current: Iterable[str], needed: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the steps that are current and need only such steps, all the way up.

    ``needed`` gives what each step needs, in the order in which data flows.

    >>> sorted(transitively_current({"a", "b", "d"}, {"a": [], "b": ["a"], "c": ["b"], "d": ["c"]}))
    ['a', 'b']
    """
    known = set(current)
    good: set[str] = set()
    for name, others in needed.items():
        if name in known and good.issuperset(others):
            good.add(name)
    return good


def _holds(around: Surroundings) -> bool:
    try:
        return (
            all(_version(path) == version for path, version in around.folders.items())
            and all(_installed(name) == there for name, there in around.packages.items())
            and all(os.environ.get(name) for name in around.variables)
        )
    except ValueError:
        return False


def _unchanged(snapshot: Snapshot) -> bool:
    try:
        for path, version in snapshot.files.items():
            # Some 26,000 in a project of 1,000 fixtures: a Path for each would double the time.
            if version_of(os.stat(path)) != version:  # noqa: PTH116
                return False
        return all(tool_version(tool) == version for tool, version in snapshot.tools.items())
    except (OSError, ValueError, PipelineError):
        return False


def _version(path: str) -> str:
    try:
        return version_of(os.stat(path))  # noqa: PTH116
    except OSError:
        return ""


def _installed(package: str) -> bool:
    return find_spec(package) is not None


def _read(place: Path) -> Snapshot | None:
    """Return the snapshot in a file, or None if it is missing or invalid."""
    try:
        found = json.loads(place.read_bytes())
        snapshot = Snapshot(**found)
        steps = [SnapshotStep(*step) for step in snapshot.steps]
        around = Surroundings(*snapshot.around)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    whole = (
        _all_are(str, [snapshot.root, snapshot.stamp])
        and _all_are(str, snapshot.default)
        and all(_is_step(step) for step in steps)
        and all(_maps_to(str, each) for each in (snapshot.tools, snapshot.files))
        and _maps_to(str, around.folders)
        and _maps_to(bool, around.packages)
        # Of a dotted name the package would be imported.
        and all(name.isidentifier() for name in around.packages)
        and _all_are(str, around.variables)
    )
    return snapshot._replace(steps=steps, around=around) if whole else None


def _is_step(step: SnapshotStep) -> bool:
    return (
        type(step.kind) is type(step.label) is type(step.fixture) is type(step.title) is str
        and step.kind in KINDS
        and type(step.current) is bool
        and _all_are(str, step.targets)
        and _all_are(str, step.task_dep)
    )


def _all_are(kind: type, values: Any) -> bool:
    return type(values) is list and all(type(each) is kind for each in values)


def _maps_to(kind: type, table: Any) -> bool:
    return type(table) is dict and all(type(each) is kind for each in table.values())


def _configs(folders: Iterable[Path]) -> list[str]:
    found = []
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            found += [entry.path for entry in entries if entry.name.endswith(".toml")]
    return sorted(found)
