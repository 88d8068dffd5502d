"""A database of file digests, so that unchanged files are not hashed again."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.cache.file_version import TICK_NS, version_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, version TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID
"""


class DigestCache:
    """Digests by path and file version: inode, size, mtime_ns and ctime_ns.

    Safe for threads and for several processes on one database. A corrupt database is moved aside
    and recreated. ``seen`` holds the version of each file and folder that was looked up;
    ``unsure`` is set if one of them was changing meanwhile.
    """

    def __init__(self, database: Path, claim: Callable[[], object] | None = None) -> None:
        """``claim`` makes the folder; where it raises OSError, digests are kept in memory."""
        self._database = database
        self._claim = claim or partial(database.parent.mkdir, parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._closed = False
        self._writable = True
        self.seen: dict[str, str] = {}
        self.unsure = False
        self._connection = self._open()

    def digest(self, path: Path) -> Digest:
        """Return the current digest of a file; raises OSError."""
        path = path.absolute()
        name = str(path)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe might block forever.
            raise OSError(errno.EINVAL, "Not a regular file", name)
        version = version_of(status)
        known = self._look_up(name, version)
        if known is None:
            stable = _is_stable(status)
            known = Digest.of_file(path)
            if not stable or version_of(path.stat()) != version:
                self.unsure = True
                return known
            self._remember(name, version, known)
        self.seen[name] = version
        return known

    def watch(self, folder: Path) -> None:
        """Record the version of a folder, which changes with its entries; raises OSError."""
        status = folder.stat()
        self.unsure |= not _is_stable(status)
        self.seen[str(folder.absolute())] = version_of(status)

    def close(self) -> None:
        """Close the database."""
        with self._guard:
            self._closed = True
            self._connection.close()

    def _look_up(self, path: str, version: str) -> Digest | None:
        query = "SELECT sha256, size FROM files WHERE path = ? AND version = ?"
        connection = self._connection
        try:
            with self._guard:
                row = connection.execute(query, (path, version)).fetchone()
            return Digest(row[0], row[1]) if row else None
        except sqlite3.OperationalError:
            return None  # Locked: the file is hashed instead.
        except (sqlite3.DatabaseError, ValueError, TypeError):
            self._reset(connection)
            return None

    def _remember(self, path: str, version: str, digest: Digest) -> None:
        row = (path, version, digest.sha256, digest.size)
        if not self._writable:
            return
        connection = self._connection
        try:
            with self._guard:
                connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)
        except sqlite3.OperationalError:
            # Locked, read-only or full: files are hashed again next time. Retrying for each file
            # would wait for the timeout each time.
            self._writable = False
        except sqlite3.DatabaseError:
            self._reset(connection)

    def _open(self) -> sqlite3.Connection:
        try:
            self._claim()
            try:
                return self._connect(str(self._database))
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._quarantine()
                return self._connect(str(self._database))
        except (OSError, sqlite3.DatabaseError):
            return self._connect(":memory:")

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            name, timeout=10, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
        return connection

    def _reset(self, corrupt: sqlite3.Connection) -> None:
        with self._guard:
            # Another thread that met the same may have begun anew already.
            if self._closed or self._connection is not corrupt:
                return
            self._connection.close()
            try:
                self._quarantine()
            except OSError:
                self._connection = self._connect(":memory:")
            else:
                self._connection = self._open()

    def _quarantine(self) -> None:
        corrupt = self._database.with_name(f"{self._database.name}.corrupt-{time.time_ns()}")
        print(
            f"warning: {self._database} is corrupt; moved to {corrupt.name} and recreated.",
            file=sys.stderr,
        )
        for suffix in ("", "-wal", "-shm"):
            part = self._database.with_name(self._database.name + suffix)
            if part.exists():
                part.replace(corrupt.with_name(corrupt.name + suffix))


def _is_stable(status: os.stat_result) -> bool:
    return time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > TICK_NS
