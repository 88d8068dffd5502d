"""Environment variables for tools that write to the home folder or send telemetry."""

from __future__ import annotations

import os
from pathlib import Path


def private_home(folder: Path) -> dict[str, str]:
    """Return environment variables with a home inside ``folder`` and telemetry disabled."""
    home = folder / "home"
    consent = home / "intel" / "openvino_telemetry"
    consent.parent.mkdir(parents=True)
    consent.write_text("0")
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "PATH") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
    }
