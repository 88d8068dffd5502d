"""Images from a bucket or any other fsspec file system, such as ``s3://``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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


@dataclass(frozen=True)
class BucketPictures:
    """The files below ``url`` with an image suffix, read with the library's own credentials."""

    url: str

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield the images sorted by name.

        Raises PipelineError: CONFIG for an unsupported URL, SOURCE_UNREACHABLE when it cannot be
        read.
        """
        filesystem, root = self._opened()
        found: dict[str, Any] = self._request(lambda: filesystem.find(root, detail=True))
        prefix = f"{root.rstrip('/')}/"
        place = scratch / "picture"
        for count, (path, info) in enumerate(sorted(found.items())):
            if count == MOST_PICTURES:
                raise self._unreachable(f"more than {MOST_PICTURES} files")
            name = path.removeprefix(prefix)
            if not is_picture(name):
                continue
            if not is_plain(name):
                yield Picture(
                    ascii(name)[1:-1][:100], place, "The name is not allowed in an index."
                )
            elif (info.get("size") or 0) > LARGEST_FILE:
                yield Picture(name, place, f"The file is larger than {LARGEST_FILE} bytes.")
            else:
                self._request(partial(filesystem.get_file, path, str(place)))
                progress = Progress(count + 1, len(found), "files")
                yield Picture(name, place, progress=progress)

    def _opened(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs

            filesystem, root = url_to_fs(self.url)
        except ImportError:
            raise PipelineError(
                Code.CONFIG,
                "The bucket requires a package that is not installed.",
                where=self.url,
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                Code.CONFIG, "Unsupported bucket URL.", where=self.url, found=str(error)
            ) from None
        return filesystem, str(root)

    def _request(self, ask: Callable[[], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return ask()
            except (FileNotFoundError, PermissionError) as error:
                raise self._unreachable(f"{type(error).__name__}: {error}") from None
            except Exception as error:
                # File systems raise exceptions of their own types.
                if attempt == _ATTEMPTS:
                    raise self._unreachable(f"{type(error).__name__}: {error}") from None
        raise AssertionError

    def _unreachable(self, found: str) -> PipelineError:
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The bucket cannot be read.",
            where=self.url,
            found=found[:200],
            hint="Check the URL and the credentials in the environment.",
        )
