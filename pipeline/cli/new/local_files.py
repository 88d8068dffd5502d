"""Bring a fixture's files into the project, where `file:` URLs can name them."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.cache.atomic import atomic_write
from pipeline.cache.confined_path import path_fault
from pipeline.cache.digest import Digest
from pipeline.cache.objects import copy
from pipeline.cli.new.prompts import Asker, Question
from pipeline.errors import Code, PipelineError

Way = Literal["copy", "link"]
FOLDER = "models"
# Larger files need consent; also the largest file that common code hosts accept.
_UNASKED = 100 << 20
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A file as a source: its path in the project, and its digest.

    ``origin`` is the file to bring, or None if it is in the project already.
    """

    path: str
    digest: Digest
    origin: Path | None


def local_file(root: Path, target: str, path: Path) -> LocalFile:
    """Return a file as a source, which is brought to ``target`` if it is outside the project.

    Raises PipelineError (USAGE) for a file that cannot be read.
    """
    digest, inside = _digest(path), _inside(root, path)
    if inside is not None:
        return LocalFile(path=inside, digest=digest, origin=None)
    return LocalFile(path=target, digest=digest, origin=path)


def to_local_files(
    root: Path, name: str, files: Mapping[str, tuple[Path, str]], way: Way | None, ask: Asker
) -> tuple[dict[str, LocalFile], Way]:
    """Return each file as a source, and whether files from outside are copied or linked.

    ``files`` maps each label to a path, and the file's path relative to the others. Nothing is
    written yet. Raises PipelineError (USAGE) if large files need consent and nobody can give it.
    """
    found: dict[str, LocalFile] = {}
    for label, (path, beside) in files.items():
        digest = _digest(path)
        inside = _inside(root, path)
        if inside is None:
            parts = (_OTHER.sub("-", part).strip("-.") or "file" for part in beside.split("/"))
            found[label] = LocalFile(
                path=f"{FOLDER}/{name}/{'/'.join(parts)}", digest=digest, origin=path
            )
        else:
            found[label] = LocalFile(path=inside, digest=digest, origin=None)
    size = sum(each.digest.size for each in found.values() if each.origin)
    if way is None and size > _UNASKED:
        largest = max((each for each in found.values() if each.origin), key=_size)
        answer = ask(
            Question(
                text=f"{size / 2**20:.0f} MiB of files are outside the project; the largest is "
                f"{largest.origin}",
                flag="--copy or --link",
                choices={
                    "copy": f"copy it into {FOLDER}/{name}",
                    "link": "link to it, for this machine only",
                },
                fallback="copy",
            )
        ).text
        way = "link" if answer == "link" else "copy"
    return found, way or "copy"


@contextmanager
def imported_files(
    root: Path, files: Iterable[LocalFile], way: Way, *, force: bool
) -> Iterator[None]:
    """Copy or link the files into the project for the duration of the context.

    If its body fails or is interrupted, everything is restored, including overwritten files.
    Raises PipelineError (STORAGE) if a file cannot be written, or another is in its place.
    """
    begun: list[_ImportedFile] = []
    try:
        try:
            for each in files:
                target = root / each.path
                if each.origin is None or _same(target, each.digest):
                    continue
                _check_free(target, each.path, force=force)
                begun.append(_ImportedFile.at(root, target))
                _place(each.origin, target, begun[-1].kept, way)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "Cannot bring the files into the project.",
                where=str(root / FOLDER),
                found=error.strerror or str(error),
            ) from None
        yield
    except BaseException:
        for one in reversed(begun):
            one.take_back()
        raise
    for one in begun:
        one.kept.unlink(missing_ok=True)


@dataclass(frozen=True)
class _ImportedFile:
    """A file being brought: whether it replaces another, and where that is kept meanwhile.

    ``folders`` are those to be created, innermost first.
    """

    target: Path
    replaces: bool
    kept: Path
    folders: tuple[Path, ...]

    @classmethod
    def at(cls, root: Path, target: Path) -> _ImportedFile:
        below = [folder for folder in target.parents if folder.is_relative_to(root)]
        return cls(
            target,
            os.path.lexists(target),
            target.with_name(f".kept-{secrets.token_hex(8)}"),
            tuple(folder for folder in below if not folder.exists()),
        )

    def take_back(self) -> None:
        with suppress(OSError):
            if os.path.lexists(self.kept):
                self.kept.replace(self.target)
            elif not self.replaces:
                self.target.unlink(missing_ok=True)
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


def _same(target: Path, digest: Digest) -> bool:
    return target.is_file() and Digest.of_file(target) == digest


def _check_free(target: Path, path: str, *, force: bool) -> None:
    folder = target.is_dir() and not target.is_symlink()
    if folder or (os.path.lexists(target) and not force):
        raise PipelineError(
            Code.STORAGE,
            f"A {'folder' if folder else 'file'} is in the way of the copy.",
            where=path,
            hint="Move it away." if folder else "Move it away, or overwrite it with --force.",
        )


def _place(origin: Path, target: Path, kept: Path, way: Way) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        target.replace(kept)
    if way == "link":
        target.symlink_to(origin.resolve())
        return
    with atomic_write(target) as part:
        copy(origin, part)


def _inside(root: Path, path: Path) -> str | None:
    """Return the path in the project as a source can name it, else None.

    Files in artifacts/ are excluded: `doit clean` removes them.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - do not resolve links
    if not absolute.is_relative_to(root):
        return None
    below = absolute.relative_to(root).as_posix()
    if below.startswith("artifacts/") or path_fault(below):
        return None
    return below


def _size(file: LocalFile) -> int:
    return file.digest.size


def check_regular(path: Path) -> None:
    """Raise PipelineError (USAGE) for a device, a pipe or a socket, which reading may block on."""
    if path.exists() and not path.is_file():
        raise PipelineError(
            Code.USAGE,
            "Not a regular file.",
            where=str(path),
            expected="a regular file",
            found="a folder" if path.is_dir() else "a device, pipe or socket",
        )


def _digest(path: Path) -> Digest:
    check_regular(path)
    try:
        return Digest.of_file(path)
    except OSError as error:
        raise PipelineError(
            Code.USAGE,
            "Cannot read the file.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None
