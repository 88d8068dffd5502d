"""The pictures in a zip, tar or tar.gz; names are only names, and nothing is unpacked to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.pictures import LARGEST_FILE, MOST_PICTURES, Picture, is_picture, is_plain
from pipeline.source.archive import refused
from pipeline.source.members import members
from pipeline.work.amount import Amount

# Pictures hardly compress, so what unpacks to far more than the archive is a bomb.
_LEAST_BYTES, _TIMES = 1 << 30, 100


@dataclass(frozen=True)
class ArchivePictures:
    """The files of an archive that have a picture's suffix; ``label`` names it for people."""

    archive: Path
    label: str

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield them in the archive's order.

        Raises PipelineError (SOURCE_ARCHIVE) for an archive that is damaged, that unpacks to far
        too much, or that has a name twice or one that leads elsewhere.
        """
        packed = self.archive.stat().st_size
        left = largest = _LEAST_BYTES + _TIMES * packed
        seen: set[str] = set()
        place = scratch / "picture"
        for member in members(self.archive, label=self.label, largest=largest):
            name = member.name
            if not is_picture(name):
                continue
            if not is_plain(name):
                message = "The archive has a name that leads elsewhere, or is none."
                raise refused(self.label, message, ascii(name)[1:-1][:100])
            if name in seen:
                raise refused(self.label, "The archive has two pictures of one name.", name)
            seen.add(name)
            if len(seen) > MOST_PICTURES:
                raise refused(self.label, f"The archive has more than {MOST_PICTURES} pictures.")
            if member.stream is None:
                yield Picture(name, place, "It is a link, or packed in an unusual way.")
                continue
            with place.open("wb") as stream:
                for piece in member.pieces(LARGEST_FILE + 1, self.label):
                    stream.write(piece)
                size = stream.tell()
            left -= size
            if left < 0:
                raise refused(self.label, f"The archive unpacks to more than {largest} bytes.")
            fault = f"It is larger than {LARGEST_FILE} bytes." if size > LARGEST_FILE else ""
            yield Picture(name, place, fault, Amount(member.reached, packed))
