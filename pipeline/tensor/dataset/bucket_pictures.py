"""Images from a bucket or any other fsspec file system, such as ``s3://``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline.bucket.bucket_client import BucketClient, BucketError
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress
from pipeline.tensor.dataset.pictures import (
    LARGEST_FILE,
    MOST_PICTURES,
    Picture,
    is_picture,
    is_plain,
)

T = TypeVar("T")

_ATTEMPTS = 3
_SECONDS = 600.0


@dataclass(frozen=True)
class BucketPictures:
    """The files below ``url`` with an image suffix, read with the library's own credentials."""

    url: str

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield the images sorted by name.

        Raises PipelineError: CONFIG for an unsupported URL, SOURCE_UNREACHABLE when it cannot be
        read.
        """
        bucket = BucketClient(self.url, seconds=_SECONDS, code=Code.CONFIG)
        found = self._request(bucket.find)
        place = scratch / "picture"
        for count, (name, size) in enumerate(found.items()):
            if count == MOST_PICTURES:
                raise self._unreachable(f"more than {MOST_PICTURES} files")
            if not is_picture(name):
                continue
            if not is_plain(name):
                yield Picture(
                    ascii(name)[1:-1][:100], place, "The name is not allowed in an index."
                )
            elif size > LARGEST_FILE:
                yield Picture(name, place, f"The file is larger than {LARGEST_FILE} bytes.")
            else:
                if not self._request(partial(bucket.download, name, place, LARGEST_FILE)):
                    raise self._unreachable(f"{name} is gone")
                progress = Progress(count + 1, len(found), "files")
                yield Picture(name, place, progress=progress)

    def _request(self, ask: Callable[[], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return ask()
            except BucketError as error:
                if error.final or error.missing or attempt == _ATTEMPTS:
                    raise self._unreachable(str(error)) from None
        raise AssertionError

    def _unreachable(self, found: str) -> PipelineError:
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The bucket cannot be read.",
            where=self.url,
            found=found[:200],
            hint="Check the URL and the credentials in the environment.",
        )
