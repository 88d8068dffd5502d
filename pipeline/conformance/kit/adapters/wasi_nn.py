"""The host of the artifact pipeline for wasi-nn; WASI_NN names its program."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = shlex.split(os.environ.get("WASI_NN", "wasi-nn"))
# {graph} is replaced by GRAPH for each named graph of a case, {args} by the guest's arguments.
COMMAND = [*PROGRAM, "run", "{graph}", "{wasm}", "{args}"]
GRAPH: list[str] = ["--graph", "{name}={encoding}::{path}"]

# Words for a case that needs a second module, or a time limit.
OPTIONS: dict[str, list[str]] = {
    "preload": ["--preload", "{name}={path}"],
    "seconds": ["--seconds", "1"],
}


def get_name() -> str:
    """Return the runtime's name."""
    return "wasi-nn"


def get_version() -> str:
    """Return the version that the program prints; raises OSError and CalledProcessError."""
    printed = subprocess.run(
        [PROGRAM[0], "--version"], capture_output=True, check=True, text=True
    ).stdout
    return next((word for word in printed.split() if word[0].isdigit()), "unknown")


def get_wasi_versions() -> list[str]:
    """Return the WASI versions of the suite that the runtime is asked about."""
    return ["wasm32-wasip1"]


def get_wasi_worlds() -> list[str]:
    """Return the worlds of the suite that the runtime is asked about."""
    return ["wasi:cli/command"]


def get_timeout_seconds() -> float:
    """Return the time limit of a case."""
    return 60.0


def compute_argv(test_path: str, *_: Any) -> list[str]:
    """Return the command for one case: the kit's runner, which judges how the guest ends.

    A trap and an error conform alike in many cases, which one expected exit code cannot say.
    """
    runner = Path(__file__).resolve().parents[1] / "conformance.py"
    return [sys.executable, str(runner), "--adapter", __file__, "--guest", test_path]
