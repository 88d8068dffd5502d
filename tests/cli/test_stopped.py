"""A command that SIGTERM ends takes back what it had begun."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny import ROOT, make_project, write_model, write_picture

SLOW = """
import sys, time
import pipeline.cli.new.local_files as files
real = files.copy
def copy(source, target):
    real(source, target)
    if source.suffix == ".png":
        time.sleep(60)
files.copy = copy
from pipeline.cli.main import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to hear")
def test_new_leaves_nothing_of_what_it_had_brought(tmp_path: Path, toolchains: Path) -> None:
    root = make_project(tmp_path / "project", toolchains).root
    outside = tmp_path / "outside"
    outside.mkdir()
    write_model(outside / "net.onnx")
    write_picture(outside / "red.png", (250, 30, 40))
    before = sorted(root.rglob("*"))
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", SLOW, "new", "net", str(outside / "net.onnx")),
            *("--image", str(outside / "red.png"), "--license", "MIT"),
        ],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
    )
    brought = root / "models/net/net.onnx"
    for _ in range(600):
        if brought.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert brought.exists()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 143
    assert sorted(root.rglob("*")) == before
