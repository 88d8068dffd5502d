"""The check of a guest's model, in its process once for each model that a test process loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.host.backend import BackendError

_WRITTEN = ("safe.xml", "safe.bin")
Check = Callable[[Path, str, str], None]


def remembering(check: Check) -> Check:
    """Return the check, which answers for the same files as it did before."""
    known: dict[tuple[str, ...], str | dict[str, bytes]] = {}

    def checked(folder: Path, frontend: str, name: str) -> None:
        files = sorted(folder.iterdir())
        key = (frontend, name, *(f"{path.name} {path.read_bytes().hex()}" for path in files))
        if key not in known:
            try:
                check(folder, frontend, name)
                made = [folder / each for each in _WRITTEN if (folder / each).exists()]
                known[key] = {path.name: path.read_bytes() for path in made}
            except BackendError as error:
                known[key] = str(error)
        found = known[key]
        if isinstance(found, str):
            raise BackendError(found)
        for each, data in found.items():
            (folder / each).write_bytes(data)

    return checked
