"""Detect cluster workers that share a file system with this machine."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.execution.dask import dask_worker


class SharedFiles:
    """Checks each worker once, by a probe file with random content.

    A path is not enough: another machine may have other files under the same names.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._guard = threading.Lock()
        self._known: dict[str, bool] = {}

    def with_worker(self, address: str, folder: Path) -> bool:
        """Return whether a worker can read and write files in this machine's ``folder``."""
        with self._guard:
            if address not in self._known:
                self._known[address] = self._tried(address, folder)
            return self._known[address]

    def _tried(self, address: str, folder: Path) -> bool:
        probe, text = folder.absolute() / uuid.uuid4().hex, uuid.uuid4().hex
        there = dask_worker.beside(probe)
        try:
            probe.write_text(text)
            seen = self._client.run(dask_worker.can_read, str(probe), text, workers=[address])
            return bool(seen[address]) and there.read_text() == text
        except Exception:
            # A lost worker is reported when a step is submitted to it.
            return False
        finally:
            probe.unlink(missing_ok=True)
            there.unlink(missing_ok=True)


def take_in_place(written: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """Move files written by a worker to the outputs; raises OSError if they are missing."""
    for label, target in outputs.items():
        if not label.endswith("/"):
            written[label].replace(target)
            continue
        for entry in written[label].iterdir():
            entry.replace(target / entry.name)
