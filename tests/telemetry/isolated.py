"""Commands without a network, in a home of their own: whom they contact, and what they write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from pipeline.telemetry import SWITCHES
from tests.tiny import ROOT

_PROGRAM = Path(__file__).with_name("isolated_program.py")
# What moves a folder out of the home, and by what packages tell that nobody is to be reported on.
_UNSET = (
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "WASI_NN_CACHE", "UV_CACHE_DIR"),
    *("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI"),
    *("DO_NOT_TRACK", "DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_HOME"),
)


@dataclass(frozen=True)
class Isolated:
    """How a command ended, the names and addresses that it contacted, the files new in its home."""

    command: Sequence[str]
    code: int
    stdout: str
    stderr: str
    contacted: Sequence[str]
    written: Sequence[str]


def run_isolated(
    commands: Sequence[Sequence[str]],
    scratch: Path,
    *,
    cwd: Path | None = None,
    read_only: bool = False,
    env: Mapping[str, str] | None = None,
) -> list[Isolated]:
    """Run commands one after the other, with ``scratch/home`` as an empty home.

    Skips where this machine cannot do so. No switch is set but by what is run, or in ``env``.
    """
    if not (unshare := _unshare()):
        reason = "no namespaces: they need Linux with util-linux and iproute2, and root or a right"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    home = scratch / "home"
    home.mkdir(parents=True)
    order = {
        "commands": commands,
        "cwd": str(cwd or scratch),
        "home": str(home),
        "scratch": str(scratch),
        "read_only": read_only,
        "env": {"PYTHONPATH": str(ROOT), **(env or {})},
    }
    inherited = {
        name: text for name, text in os.environ.items() if name not in {*_UNSET, *SWITCHES}
    }
    done = subprocess.run(
        [*unshare, sys.executable, _PROGRAM, json.dumps(order)],
        env=inherited,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return [Isolated(**json.loads(line)) for line in done.stdout.splitlines()]


@cache
def _unshare() -> list[str]:
    """Return the command that starts another in namespaces of its own, or nothing."""
    for way in ((), ("--user", "--map-root-user")):
        command = ["unshare", *way, "--net", "--mount"]
        tried = 'ip link set lo up && mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
        probe = [*command, "sh", "-c", tried, tempfile.gettempdir()]
        try:
            done = subprocess.run(probe, capture_output=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return command
    return []
