"""No package that we import or start reports on its user: each one's switch, and who gets it.

``import pipeline`` sets the switches of this process, and with them those of every child that
inherits its environment; a child with an environment of its own gets them from ``run_process``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

# Documented in docs/privacy.md. Each was seen to work in tests/telemetry.
SWITCHES: Mapping[str, str] = MappingProxyType(
    {
        # ONNX Runtime keeps a device's id and a queue of events in ~/.cache/Microsoft.
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "npm_config_update_notifier": "false",
    }
)
# OpenVINO's converter reports when it is imported, and no variable stops that but those of a CI
# service. Without this package it does not, and None is Python's way to say that there is none.
_OPENVINO = "openvino_telemetry"
# For a Python program that imports nothing of ours.
PREAMBLE = f"import sys; sys.modules[{_OPENVINO!r}] = None\n"


def disable_telemetry() -> None:
    """Set every switch of this process that its user has not set; nothing is imported."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    sys.modules.setdefault(_OPENVINO, None)  # type: ignore[arg-type] # it may be None


def private_home(folder: Path) -> dict[str, str]:
    """Return the environment of a tool that writes into its user's home: one in ``folder``.

    OpenVINO finds there that it may not report, in Pythons too that do not have this package.
    """
    home = folder / ".home"
    consent = home / "intel" / _OPENVINO
    consent.parent.mkdir(parents=True, exist_ok=True)
    consent.write_text("0")
    kept = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(folder),
    }
