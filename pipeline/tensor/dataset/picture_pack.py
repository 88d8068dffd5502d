"""Pack the images of a shard into one file, since an archive's names are not known in advance.

A pack is an uncompressed tar in the pax format (POSIX.1-2001), without its closing blocks.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.progress import Progress
from pipeline.tensor.dataset.pictures import Picture

_BLOCK = tarfile.BLOCKSIZE


def append(pack: Path, picture: Picture) -> None:
    """Append an image to a pack; raises OSError."""
    with picture.path.open("rb") as source, pack.open("ab") as target:
        info = tarfile.TarInfo(picture.name)
        info.size = picture.path.stat().st_size
        target.write(info.tobuf(tarfile.PAX_FORMAT))
        shutil.copyfileobj(source, target, 1 << 20)
        target.write(bytes(-info.size % _BLOCK))


@dataclass(frozen=True)
class PackedPictures:
    """The images in a pack."""

    pack: Path

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield the images sorted by name, each written to the same file in ``scratch``.

        The order makes a shard independent of where its images came from.
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
                progress = Progress(count, len(packed), "pictures")
                yield Picture(info.name, place, progress=progress)
