"""Files as Dask data: pieces, keyed by the digests of the files that they are of."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError

PIECE = 64 << 20
_SMALL = 1 << 20
_MOST_KEPT = 1 << 30

Group = tuple[Digest, ...]


class SentFiles:
    """Sends files to a cluster; those used last, up to 1 GiB, stay there for further steps.

    A piece maps SHA-256 digests to bytes: up to 64 MiB of one file, or several small files.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._guard = threading.Lock()
        self._kept: dict[Group, list[Any]] = {}

    def send(self, files: Mapping[Digest, Path]) -> list[Any]:
        """Return futures of the files' pieces, in order; a lost piece is sent again.

        Raises PipelineError (STORAGE) for a file that does not have its digest.
        """
        with self._guard:
            futures = []
            for group in _groups(sorted(files, key=lambda digest: (digest.size, digest.sha256))):
                pieces = self._kept.pop(group, None)
                if pieces is None or any(piece.status != "finished" for piece in pieces):
                    pieces = [
                        self._scatter(group, *part) for part in enumerate(_read(group, files))
                    ]
                self._kept[group] = pieces
                futures += pieces
            self._drop_oldest()
            return futures

    def _scatter(self, group: Group, number: int, piece: Mapping[str, bytes]) -> Any:
        name = hashlib.sha256("".join(digest.sha256 for digest in group).encode()).hexdigest()
        (future,) = self._client.scatter({f"{name}-{number}": piece}).values()
        return future

    def _drop_oldest(self) -> None:
        size = sum(digest.size for group in self._kept for digest in group)
        for group in [*self._kept]:
            if size <= _MOST_KEPT:
                break
            del self._kept[group]
            size -= sum(digest.size for digest in group)


def _groups(digests: Iterable[Digest]) -> Iterator[Group]:
    """Yield each large file alone, and small files in groups of up to 64 MiB."""
    group: Group = ()
    for digest in digests:
        if digest.size > _SMALL:
            yield (digest,)
        elif sum(each.size for each in group) + digest.size > PIECE:
            yield group
            group = (digest,)
        else:
            group = (*group, digest)
    if group:
        yield group


def _read(group: Group, files: Mapping[Digest, Path]) -> Iterator[dict[str, bytes]]:
    if len(group) > 1:
        yield {digest.sha256: b"".join(_parts(digest, files[digest])) for digest in group}
    else:
        for part in _parts(group[0], files[group[0]]):
            yield {group[0].sha256: part}


def _parts(digest: Digest, path: Path) -> Iterator[bytes]:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        for offset in range(0, max(1, digest.size), PIECE):
            part = stream.read(min(PIECE, digest.size - offset))
            found.update(part)
            yield part
    if found.hexdigest() != digest.sha256:
        raise PipelineError(
            Code.STORAGE,
            "A file changed while it was sent to a worker of the cluster.",
            where=str(path),
            hint="Run doit again.",
        )
