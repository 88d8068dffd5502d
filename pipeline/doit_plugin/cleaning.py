"""What `doit clean` removes: the targets of steps, and what is left of fixtures without a config.

Only what steps have made is removed, and no link below the folder of artifacts is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache.confined_path import is_below
from pipeline.cache.history import History
from pipeline.cache.owned_folder import remove
from pipeline.config.rules import name_fault
from pipeline.errors import Code, PipelineError
from pipeline.execution.step_name import StepName
from pipeline.graph.kinds import SHARED
from pipeline.graph.step_graph import StepGraph
from pipeline.publish.release.stale_files import drop_stale, noted

# Folders beside those of the fixtures.
_OF_ALL = {"code", "events", "guests", "history", "toolchains"}
_NOTES = "published"


@dataclass(frozen=True)
class Removed:
    """What is removed of a fixture, guest or toolchain; ``kept`` says why something is not."""

    name: str
    files: int
    bytes: int
    kept: str = ""


def clean(project: StepGraph, steps: Iterable[str], *, dry: bool) -> list[Removed]:
    """Remove the targets of steps and the folders that are empty then; return what, by fixture.

    Raises PipelineError (STORAGE).
    """
    top = project.layout.artifacts
    targets: dict[str, dict[Path, None]] = {}
    for step in steps:
        action = project.steps[step]
        owner = action.fixture or action.name
        targets.setdefault(owner, {}).update(dict.fromkeys(action.outputs.values()))
        for stamp in action.invalidates:
            # A guest's are the manifests of all fixtures that have it.
            whose = stamp.relative_to(top).parts[0] if stamp.is_relative_to(top) else owner
            targets.setdefault(whose, {})[stamp] = None
    if not dry:
        project.layout.claim_artifacts()
    removed = []
    for owner, named in targets.items():
        paths = [path for path in named if is_below(top, path)]
        behind = len(named) - len(paths)
        files = _files(paths)
        kept = f"{behind} targets are behind a link" if behind else ""
        removed.append(Removed(owner, len(files), sum(files.values()), kept))
        if not dry:
            with _storage_errors():
                for path in paths:
                    remove(path, top)
                _forget_published(top / owner, project.layout.local / owner)
                for path in (*paths, project.layout.local / owner / _NOTES):
                    _prune(path.parent, top)
    return [each for each in removed if each.files or each.kept]


def undeclared(project: StepGraph, history: History) -> list[Removed]:
    """Return the fixtures that steps were run for and no config declares, with their files."""
    made = history.steps()
    found = {fixture for step in made if (fixture := _fixture(step))}
    with suppress(OSError):
        found |= {notes.parent.name for notes in project.layout.local.glob(f"*/{_NOTES}")}
    found -= project.configs.fixtures.keys() | _OF_ALL
    every = [_left(project, name) for name in sorted(found) if not name_fault(name)]
    return [each for each in every if each.files or each.kept]


def clean_undeclared(
    project: StepGraph, history: History, names: Iterable[str], *, dry: bool
) -> list[Removed]:
    """Remove what steps have made of fixtures that no config declares; return what.

    ``names`` are those to remove, none for all. Files that a user has put there are kept.
    Raises PipelineError (USAGE, STORAGE).
    """
    found = {each.name: each for each in undeclared(project, history)}
    wanted = [*names] or [*found]
    for name in wanted:
        if name not in found:
            raise PipelineError(
                Code.USAGE,
                f"There are no files of a fixture {name!r} without a config.",
                hint="`doit status` lists such fixtures as 'left'.",
            )
    top = project.layout.artifacts
    if not dry:
        project.layout.claim_artifacts()
    for name in () if dry else wanted:
        if found[name].kept:
            continue
        folder, local = top / name, project.layout.local / name
        with _storage_errors():
            drop_stale(folder, [], local / _NOTES)
            for each in _folders(folder):
                _prune(each, top)
            remove(local, top)
        for step in history.steps():
            if _fixture(step) == name:
                history.drop(step)
    return [found[name] for name in wanted]


def _left(project: StepGraph, name: str) -> Removed:
    top = project.layout.artifacts
    folder, local = top / name, project.layout.local / name
    for path in (folder, local):
        if path.is_symlink() or not is_below(top, path):
            return Removed(name, 0, 0, f"{path.relative_to(project.layout.root)} is a link")
    files = _files([*noted(folder, local / _NOTES), local])
    return Removed(name, len(files), sum(files.values()))


def _fixture(step: str) -> str:
    """Return the fixture that a step of the history is of, which may have no config; or ''."""
    name = StepName.parse(step)
    return "" if name.kind in SHARED else name.subject


def _files(paths: Iterable[Path]) -> Mapping[Path, int]:
    """Return the size of each file among and below some paths; that of a link is 0."""
    found: dict[Path, int] = {}
    for path in paths:
        for each in path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,):
            if each.is_symlink():
                found[each] = 0
            elif each.is_file():
                found[each] = each.stat().st_size
    return found


def _folders(folder: Path) -> Iterator[Path]:
    """Yield the folders below one, the deepest first, and then itself."""
    below = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
    yield from sorted(below, reverse=True)
    yield folder


def _prune(folder: Path, top: Path) -> None:
    """Remove a folder and those above it as far as they are empty; ``top`` stays."""
    while folder != top and is_below(top, folder):
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent


def _forget_published(folder: Path, local: Path) -> None:
    """Delete the notes of deleted files; with the last one the drawings, which are then useless."""
    notes = noted(folder, local / _NOTES)
    for path, note in notes.items():
        if not path.exists() and not path.is_symlink():
            note.unlink(missing_ok=True)
    if notes and not any(note.exists() for note in notes.values()):
        (local / "drawn").unlink(missing_ok=True)
        with suppress(OSError):
            (local / _NOTES).rmdir()


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "What was built cannot be removed.",
            where=str(error.filename or ""),
            found=error.strerror or str(error),
            hint="Fix that and run the command again: the rest is still there.",
        ) from None
