"""Where a fixture's own files are read from: inside of the project, as `file:` wants them."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config.addresses import path_fault
from pipeline.draft.asking import Asker, Question
from pipeline.errors import Code, PipelineError
from pipeline.store.atomic import aside
from pipeline.store.digest import Digest
from pipeline.store.objects import copy

Way = Literal["copy", "link"]
FOLDER = "models"
# What may be copied without a question; also what code hosts take as one file.
_UNASKED = 100 << 20
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Held:
    """A file as a source: its path below the project, and the digest of its bytes.

    ``origin`` is where it has to be brought from, None where it lies in the project already.
    """

    path: str
    digest: Digest
    origin: Path | None


def hold(
    root: Path, name: str, files: Mapping[str, tuple[Path, str]], way: Way | None, ask: Asker
) -> tuple[dict[str, Held], Way]:
    """Return each file as a source, and how those from elsewhere come into the project.

    ``files`` are paths, each with the path that it has beside the others. Nothing is written yet.
    Raises PipelineError (USAGE) where much would be copied and nobody said so.
    """
    held: dict[str, Held] = {}
    for label, (path, beside) in files.items():
        digest = _digest(path)
        inside = _inside(root, path)
        if inside is None:
            parts = (_OTHER.sub("-", part).strip("-.") or "file" for part in beside.split("/"))
            held[label] = Held(
                path=f"{FOLDER}/{name}/{'/'.join(parts)}", digest=digest, origin=path
            )
        else:
            held[label] = Held(path=inside, digest=digest, origin=None)
    size = sum(each.digest.size for each in held.values() if each.origin)
    if way is None and size > _UNASKED:
        largest = max((each for each in held.values() if each.origin), key=_size)
        answer = ask(
            Question(
                text=f"Files of {size / 2**20:.0f} MiB lie elsewhere, the largest is "
                f"{largest.origin}",
                flag="--copy or --link",
                choices={
                    "copy": f"copy it into {FOLDER}/{name}",
                    "link": "link to it, for this machine alone",
                },
            )
        )
        way = "link" if answer == "link" else "copy"
    return held, way or "copy"


@contextmanager
def brought(root: Path, held: Iterable[Held], way: Way, *, force: bool) -> Iterator[None]:
    """Copy or link what lies outside into the project, while what depends on it is done.

    When that fails or is interrupted, all is as it was before, also what was overwritten. Raises
    PipelineError (STORAGE) when files cannot be brought, or would overwrite another.
    """
    begun: list[_Begun] = []
    try:
        try:
            for each in held:
                target = root / each.path
                if each.origin is None or _same(target, each.digest):
                    continue
                _check_free(target, each.path, force=force)
                begun.append(_Begun.at(root, target))
                _place(each.origin, target, begun[-1].kept, way)
        except OSError as error:
            raise PipelineError(
                Code.STORAGE,
                "The files cannot be brought into the project.",
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
class _Begun:
    """A file that is being brought: whether another was there, and where that is kept meanwhile.

    ``folders`` are those that were not there, the innermost first.
    """

    target: Path
    replaces: bool
    kept: Path
    folders: tuple[Path, ...]

    @classmethod
    def at(cls, root: Path, target: Path) -> _Begun:
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
            f"Another {'folder' if folder else 'file'} lies where the copy should.",
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
    with aside(target) as part:
        copy(origin, part)


def _inside(root: Path, path: Path) -> str | None:
    """Return the path below the project where a source can name it, else None.

    What lies in artifacts/ goes with `doit clean`.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link may be meant
    if not absolute.is_relative_to(root):
        return None
    below = absolute.relative_to(root).as_posix()
    if below.startswith("artifacts/") or path_fault(below):
        return None
    return below


def _size(held: Held) -> int:
    return held.digest.size


def check_regular(path: Path) -> None:
    """Raise PipelineError (USAGE) for what has no end, or waits: a device, a pipe, a socket."""
    if path.exists() and not path.is_file():
        raise PipelineError(
            Code.USAGE,
            "This is no regular file.",
            where=str(path),
            expected="a file with a beginning and an end",
            found="a folder" if path.is_dir() else "a device, pipe or socket",
        )


def _digest(path: Path) -> Digest:
    check_regular(path)
    try:
        return Digest.of_file(path)
    except OSError as error:
        raise PipelineError(
            Code.USAGE,
            "The file cannot be read.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None
