"""Which workers of a cluster see the files of this machine: those on it, or with its mounts."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.work import cluster_worker


class SharedFiles:
    """Asks each worker once, by a file with a text that nobody can guess.

    A path alone says nothing: another machine may have other files under the same names.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._guard = threading.Lock()
        self._known: dict[str, bool] = {}

    def with_worker(self, address: str, folder: Path) -> bool:
        """Tell whether a worker reads what is written to ``folder`` here, and writes there too."""
        with self._guard:
            if address not in self._known:
                self._known[address] = self._tried(address, folder)
            return self._known[address]

    def _tried(self, address: str, folder: Path) -> bool:
        probe, text = folder.absolute() / uuid.uuid4().hex, uuid.uuid4().hex
        there = cluster_worker.beside(probe)
        try:
            probe.write_text(text)
            told = self._client.run(cluster_worker.sees, str(probe), text, workers=[address])
            return bool(told[address]) and there.read_text() == text
        except Exception:
            # A worker that is lost now is told of when it is given the step.
            return False
        finally:
            probe.unlink(missing_ok=True)
            there.unlink(missing_ok=True)


def take_in_place(written: Mapping[str, Path], outputs: Mapping[str, Path]) -> None:
    """Let what a worker has written become the outputs; raises OSError where it is not there."""
    for label, target in outputs.items():
        if not label.endswith("/"):
            written[label].replace(target)
            continue
        for entry in written[label].iterdir():
            entry.replace(target / entry.name)
