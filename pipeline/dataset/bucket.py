"""The pictures in a bucket, or any other place that fsspec knows, such as ``s3://``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.dataset.pictures import LARGEST_FILE, MOST_PICTURES, Picture, is_picture, is_plain
from pipeline.errors import Code, PipelineError
from pipeline.work.amount import Amount

T = TypeVar("T")

_ATTEMPTS = 3


@dataclass(frozen=True)
class BucketPictures:
    """The files below ``url`` that have a picture's suffix; credentials are the library's own."""

    url: str

    def each(self, scratch: Path) -> Iterator[Picture]:
        """Yield them in the order of their names.

        Raises PipelineError: CONFIG where no library knows such a place, SOURCE_UNREACHABLE where
        it cannot be read.
        """
        filesystem, root = self._opened()
        found: dict[str, Any] = self._asked(lambda: filesystem.find(root, detail=True))
        prefix = f"{root.rstrip('/')}/"
        place = scratch / "picture"
        for count, (path, info) in enumerate(sorted(found.items())):
            if count == MOST_PICTURES:
                raise self._unreachable(f"more than {MOST_PICTURES} files")
            name = path.removeprefix(prefix)
            if not is_picture(name):
                continue
            if not is_plain(name):
                yield Picture(ascii(name)[1:-1][:100], place, "Its name cannot stand in an index.")
            elif (info.get("size") or 0) > LARGEST_FILE:
                yield Picture(name, place, f"It is larger than {LARGEST_FILE} bytes.")
            else:
                self._asked(partial(filesystem.get_file, path, str(place)))
                reached = Amount(count + 1, len(found), "files")
                yield Picture(name, place, reached=reached)

    def _opened(self) -> tuple[Any, str]:
        try:
            from fsspec.core import url_to_fs

            filesystem, root = url_to_fs(self.url)
        except ImportError:
            raise PipelineError(
                Code.CONFIG,
                "The bucket needs a package that is not installed.",
                where=self.url,
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                Code.CONFIG, "There is no such place.", where=self.url, found=str(error)
            ) from None
        return filesystem, str(root)

    def _asked(self, ask: Callable[[], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return ask()
            except (FileNotFoundError, PermissionError) as error:
                raise self._unreachable(f"{type(error).__name__}: {error}") from None
            except Exception as error:
                # Each file system has errors of its own.
                if attempt == _ATTEMPTS:
                    raise self._unreachable(f"{type(error).__name__}: {error}") from None
        raise AssertionError

    def _unreachable(self, found: str) -> PipelineError:
        return PipelineError(
            Code.SOURCE_UNREACHABLE,
            "The bucket of pictures cannot be read.",
            where=self.url,
            found=found[:200],
            hint="Check the address, and the credentials that its library finds.",
        )
