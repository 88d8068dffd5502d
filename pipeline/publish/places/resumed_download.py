"""Download a file to the cache with a place's own client, resumed and verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.cache.atomic import replace
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress
from pipeline.publish.release.release import ReleasedFile
from pipeline.source.download import progress_text
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile

_ATTEMPTS = 3

# Downloads to a file, and reports the number of bytes so far.
FillFile = Callable[[Path, Callable[[int], None]], None]


def resumed_download(
    downloads: DownloadCache, file: ReleasedFile, where: str, kind: str, fill: FillFile
) -> Path:
    """Return the verified file in the cache; ``fill`` downloads it, resuming a partial file.

    ``where`` and ``kind`` identify the place. Raises PipelineError.
    """
    expected = ExpectedFile(file.size, {"sha256": file.sha256})
    if kept := downloads.get(expected):
        return kept
    path = downloads.folder / expected.name
    with downloads.lock(expected.name, file.path):
        if kept := downloads.get(expected):
            return kept
        downloads.progress(f"downloading {file.path}")
        part = path.with_name(f"{path.name}.{kind}.part")

        def on_bytes(done: int) -> None:
            downloads.progress(
                progress_text(done, file.size), Progress(done, file.size, of=file.path)
            )

        for attempt in range(_ATTEMPTS):
            try:
                fill(part, on_bytes)
                expected.check(part, f"{where}: {file.path}")
                break
            except PipelineError as error:
                # The partial file of an earlier attempt may be wrong.
                if error.code is Code.SOURCE_MISMATCH:
                    part.unlink(missing_ok=True)
                if attempt == _ATTEMPTS - 1:
                    raise
        replace(part, path)
    return path
