"""Records, in the user's cache, of the environments that this user's commands created.

An environment holds programs. One that came with a folder, or was changed after it was created, has
no record that fits, and is not used.
"""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest
from pipeline.cache.file_version import version_of
from pipeline.cache.json_decoding import decode_json
from pipeline.cache.user_cache import user_cache_folder
from pipeline.errors import Code, PipelineError

# Written beside the programs by every project that uses the environment.
USERS = "users.json"
_OWNER_LENGTH = 8
_OWNER = re.compile(rb"[0-9a-f]{%d}" % _OWNER_LENGTH)


class _RecordedFile(msgspec.Struct, frozen=True):
    """A file or link of an environment: its digest or target, and its version."""

    content: str
    version: str


class _Record(msgspec.Struct, frozen=True):
    """An environment as it was created."""

    lock: str
    files: dict[str, _RecordedFile]


def owner() -> str:
    """Return what tells this user's environments from others' in a folder that several share."""
    from filelock import FileLock

    place = _folder() / "owner"
    if found := _read_owner(place):
        return found
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_suffix(".lock")):
            if not _read_owner(place):
                write_bytes(place, uuid.uuid4().hex[:_OWNER_LENGTH].encode())
            return _read_owner(place)
    except OSError:
        # Without a record, nothing is created or used either.
        return "0" * _OWNER_LENGTH


def write_record(folder: Path, lock: str, place: Path) -> None:
    """Record the files of ``folder``, an environment of a lock's digest that will be at ``place``.

    Raises OSError, and PipelineError (STORAGE) if the user's cache cannot be written.
    """
    files = {name: _read(path, path.lstat()) for name, path in _members(folder)}
    _save(place, _Record(lock, files))


def is_recorded(folder: Path, lock: str) -> bool:
    """Return whether an environment is the one that was recorded, in every file.

    A file whose version changed is read again.
    """
    try:
        record = decode_json(_record_of(folder).read_bytes(), _Record)
    except (OSError, msgspec.MsgspecError):
        return False
    if record.lock != lock:
        return False
    found: dict[str, _RecordedFile] = {}
    try:
        for name, path in _members(folder):
            known, status = record.files.get(name), path.lstat()
            if known is None:
                return False
            same = known.version == version_of(status)
            found[name] = known if same else _read(path, status)
            if found[name].content != known.content:
                return False
    except OSError:
        return False
    if found.keys() != record.files.keys():
        return False
    if found != record.files:
        with suppress(PipelineError):
            _save(folder, _Record(lock, found))
    return True


def remove_record(folder: Path) -> None:
    """Remove the record of an environment that is gone, if there is one."""
    with suppress(OSError):
        _record_of(folder).unlink()


def _read_owner(place: Path) -> str:
    """Return the owner that a file names, or ''."""
    with suppress(OSError):
        found = place.read_bytes()
        if _OWNER.fullmatch(found):
            return found.decode()
    return ""


def _members(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file and link below a folder, by its relative path; raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    for place, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*names, *links):
            path = Path(place, name)
            relative = path.relative_to(folder).as_posix()
            if relative != USERS:
                yield relative, path


def _read(path: Path, status: os.stat_result) -> _RecordedFile:
    """Return a file's content and version; raises OSError if it is neither file nor link."""
    if stat.S_ISLNK(status.st_mode):
        return _RecordedFile(f"link to {path.readlink()}", version_of(status))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"not a file: {path}")
    return _RecordedFile(Digest.of_file(path).sha256, version_of(status))


def _save(folder: Path, record: _Record) -> None:
    try:
        write_bytes(_record_of(folder), msgspec.json.encode(record))
    except OSError as error:
        raise _unwritable(error) from None


def _record_of(folder: Path) -> Path:
    return _folder() / f"{Digest.of_bytes(os.fsencode(folder.resolve())).sha256}.json"


def _folder() -> Path:
    return user_cache_folder() / "environments"


def _unwritable(error: OSError) -> PipelineError:
    return PipelineError(
        Code.STORAGE,
        "The record of a toolchain's environment cannot be written.",
        where=str(_folder()),
        found=error.strerror or str(error),
        hint="Name another cache folder of yours with WASI_NN_CACHE.",
    )
