"""Where a fixture's own files are read from: inside of the project, as `file:` wants them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
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
    outside: list[Path] = []
    for label, (path, beside) in files.items():
        digest = _digest(path)
        inside = _inside(root, path)
        if inside is None:
            outside.append(path)
            parts = (_OTHER.sub("-", part).strip("-.") or "file" for part in beside.split("/"))
            held[label] = Held(
                path=f"{FOLDER}/{name}/{'/'.join(parts)}", digest=digest, origin=path
            )
        else:
            held[label] = Held(path=inside, digest=digest, origin=None)
    size = sum(each.digest.size for each in held.values() if each.origin)
    if way is None and size > _UNASKED:
        answer = ask(
            Question(
                text=f"Files of {size / 2**20:.0f} MiB lie elsewhere, such as {outside[0].name}",
                flag="--copy or --link",
                choices={
                    "copy": f"copy it into {FOLDER}/{name}",
                    "link": "link to it, for this machine alone",
                },
            )
        )
        way = "link" if answer == "link" else "copy"
    return held, way or "copy"


def bring(root: Path, held: Iterable[Held], way: Way, *, force: bool) -> list[Path]:
    """Copy or link what lies outside into the project; return what was written.

    Raises PipelineError (STORAGE) when that cannot be, or would overwrite another file.
    """
    written: list[Path] = []
    try:
        for each in held:
            target = root / each.path
            if each.origin is None or (target.is_file() and Digest.of_file(target) == each.digest):
                continue
            if (target.exists() or target.is_symlink()) and not force:
                raise PipelineError(
                    Code.STORAGE,
                    "Another file lies where the copy should.",
                    where=each.path,
                    hint="Move it away, or overwrite it with --force.",
                )
            if way == "link":
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                target.symlink_to(each.origin.resolve())
            else:
                with aside(target) as part:
                    copy(each.origin, part)
            written.append(target)
    except (OSError, PipelineError) as error:
        take_back(root, written)
        if isinstance(error, PipelineError):
            raise
        raise PipelineError(
            Code.STORAGE,
            "The files cannot be brought into the project.",
            where=str(root / FOLDER),
            found=error.strerror or str(error),
        ) from None
    return written


def take_back(root: Path, written: Iterable[Path]) -> None:
    """Remove what was brought, and the folders that are empty then."""
    for path in written:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == root or not folder.is_relative_to(root):
                break
            with suppress(OSError):
                folder.rmdir()


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


def _digest(path: Path) -> Digest:
    try:
        return Digest.of_file(path)
    except OSError as error:
        raise PipelineError(
            Code.USAGE,
            "The file cannot be read.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None
