"""The Wasmtime CLI; WASMTIME names its program."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = shlex.split(os.environ.get("WASMTIME", "wasmtime"))
# {graph} is replaced by GRAPH for each named graph of a case, {args} by the guest's arguments.
COMMAND = [*PROGRAM, "run", "-C", "cache=n", "-S", "nn", "{graph}", "{wasm}", "{args}"]
GRAPH: list[str] = ["-S", "nn-graph={encoding}::{path}"]

# Words for a case that needs a second module, or a time limit.
OPTIONS: dict[str, list[str]] = {
    "preload": ["--preload", "{name}={path}"],
    "seconds": ["-W", "timeout=1s"],
}


def get_name() -> str:
    """Return the runtime's name."""
    return "Wasmtime"


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
