"""Images from a zip, tar or tar.gz; nothing is extracted to the names in the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.execution.progress import Progress
from pipeline.source.archive_member import archive_error
from pipeline.source.archive_members import members
from pipeline.tensor.dataset.pictures import (
    LARGEST_FILE,
    MOST_PICTURES,
    Picture,
    is_picture,
    is_plain,
)

# Images hardly compress: a much larger unpacked size means a decompression bomb.
_LEAST_BYTES, _TIMES = 1 << 30, 100


@dataclass(frozen=True)
class ArchivePictures:
    """The files of an archive with an image suffix; ``label`` names the archive in messages."""

    archive: Path
    label: str

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield the images in archive order.

        Raises PipelineError (SOURCE_ARCHIVE) for an archive that is damaged, unpacks to too many
        bytes, or has duplicate or unsafe names.
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
                message = "The archive has an invalid or unsafe name."
                raise archive_error(self.label, message, ascii(name)[1:-1][:100])
            if name in seen:
                raise archive_error(
                    self.label, "The archive has two images with the same name.", name
                )
            seen.add(name)
            if len(seen) > MOST_PICTURES:
                raise archive_error(
                    self.label, f"The archive has more than {MOST_PICTURES} images."
                )
            if member.stream is None:
                yield Picture(name, place, "The entry is a link, encrypted or unsupported.")
                continue
            with place.open("wb") as stream:
                for piece in member.pieces(LARGEST_FILE + 1, self.label):
                    stream.write(piece)
                size = stream.tell()
            left -= size
            if left < 0:
                raise archive_error(
                    self.label, f"The archive unpacks to more than {largest} bytes."
                )
            fault = f"The file is larger than {LARGEST_FILE} bytes." if size > LARGEST_FILE else ""
            yield Picture(name, place, fault, Progress(member.position, packed))
