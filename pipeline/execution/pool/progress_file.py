"""Progress of a step in a worker process, passed to the parent through a file."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipeline.cache.json_decoding import decode_json
from pipeline.execution.progress import Progress, ProgressCallback

_EVERY_SECONDS = 0.2
_MOST_BYTES = 4096


class _ProgressLine(msgspec.Struct, frozen=True):
    text: str
    amount: Progress | None


@dataclass
class ProgressWriter:
    """The worker's side: writes the latest line to ``path``, a few times per second."""

    path: Path
    last: float = 0.0

    def __call__(self, text: str, amount: Progress | None = None, /) -> None:
        """Write a line; errors are ignored, so that progress never fails a step."""
        now = time.monotonic()
        if now - self.last < _EVERY_SECONDS:
            return
        self.last = now
        part = self.path.with_name(self.path.name + ".part")
        with suppress(OSError):
            part.write_bytes(msgspec.json.encode(_ProgressLine(text, amount)))
            part.replace(self.path)


class ProgressReader:
    """The parent's side: passes new lines in ``path`` to ``progress``."""

    def __init__(self, path: Path, progress: ProgressCallback) -> None:
        self._path = path
        self._progress = progress
        self._last = b""

    def poll(self) -> None:
        """Poll once."""
        # The worker runs untrusted code: its file may contain anything.
        with suppress(OSError, msgspec.MsgspecError):
            with self._path.open("rb") as stream:
                data = stream.read(_MOST_BYTES)
            if data != self._last:
                self._last = data
                line = decode_json(data, _ProgressLine)
                self._progress(line.text, line.amount)
