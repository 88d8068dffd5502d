"""A shard's pictures in one file, since their names are not known before an archive is read.

A pack is an uncompressed tar in the pax format (POSIX.1-2001), without its closing blocks.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.pictures import Picture
from pipeline.work.amount import Amount

_BLOCK = tarfile.BLOCKSIZE


def append(pack: Path, picture: Picture) -> None:
    """Put a picture at the end of a pack; raises OSError."""
    with picture.path.open("rb") as source, pack.open("ab") as target:
        info = tarfile.TarInfo(picture.name)
        info.size = picture.path.stat().st_size
        target.write(info.tobuf(tarfile.PAX_FORMAT))
        shutil.copyfileobj(source, target, 1 << 20)
        target.write(bytes(-info.size % _BLOCK))


@dataclass(frozen=True)
class PackedPictures:
    """The pictures of a pack."""

    pack: Path

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield them in the order of their names; each is written to the same file of ``scratch``.

        So a shard is the same wherever its pictures came from.
        """
        place = scratch / "picture"
        if not self.pack.stat().st_size:
            return
        with tarfile.open(self.pack, "r:") as opened:
            packed = sorted(opened.getmembers(), key=lambda info: info.name)
            for count, info in enumerate(packed, 1):
                found = opened.extractfile(info)
                assert found is not None
                with found, place.open("wb") as target:
                    shutil.copyfileobj(found, target, 1 << 20)
                reached = Amount(count, len(packed), "pictures")
                yield Picture(info.name, place, reached=reached)
