"""Download a file to the cache with a place's own client, resumed and verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.cache.atomic import replace
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Amount
from pipeline.publish.release.release import ReleasedFile
from pipeline.source.download import progress
from pipeline.source.download_cache import Downloads
from pipeline.source.expected_file import Wanted

_ATTEMPTS = 3

# Downloads to a file, and reports the number of bytes so far.
Bring = Callable[[Path, Callable[[int], None]], None]


def brought(downloads: Downloads, file: ReleasedFile, where: str, kind: str, bring: Bring) -> Path:
    """Return the verified file in the cache; ``bring`` downloads it, resuming a partial file.

    ``where`` and ``kind`` identify the place. Raises PipelineError.
    """
    wanted = Wanted(file.size, {"sha256": file.sha256})
    if kept := downloads.kept(wanted):
        return kept
    path = downloads.folder / wanted.name
    with downloads.alone(wanted.name, file.path):
        if kept := downloads.kept(wanted):
            return kept
        downloads.say(f"downloading {file.path}")
        part = path.with_name(f"{path.name}.{kind}.part")

        def tell(done: int) -> None:
            downloads.say(progress(done, file.size), Amount(done, file.size, of=file.path))

        for attempt in range(_ATTEMPTS):
            try:
                bring(part, tell)
                wanted.check(part, f"{where}: {file.path}")
                break
            except PipelineError as error:
                # The partial file of an earlier attempt may be wrong.
                if error.code is Code.SOURCE_MISMATCH:
                    part.unlink(missing_ok=True)
                if attempt == _ATTEMPTS - 1:
                    raise
        replace(part, path)
    return path
