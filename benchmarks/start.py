"""How fast doit starts here: `doit list` in every state of a project, against doit alone.

Run `python benchmarks/start.py`. The steps are declared by real configs and recorded as built, with
stand-ins for their outputs. Each command runs in turn with doit alone on as many steps, so that a
machine whose speed drifts slows both; the ratio of the medians is what counts. `--cpu` compares
processor time, which other work on the machine bends less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.standin import make_project

RUNS = 15
FIXTURES = 15
DOIT = [sys.executable, "-m", "doit"]
BARE = """\
def task_step():
    for number in range({count}):
        yield {{"name": str(number), "actions": [(lambda: None,)], "uptodate": [True]}}
"""


def seconds(command: Sequence[str], folder: Path, *, cpu: bool) -> float:
    """Return the wall time of one run of a command, or its processor time."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime if cpu else time.perf_counter() - started


def compare(state: str, arguments: Sequence[str], root: Path, bare: Path, *, cpu: bool) -> None:
    """Print how long a command takes in a project, beside doit alone."""
    # The first list in a new state may read the configs.
    subprocess.run([*DOIT, "list"], cwd=root, check=True, capture_output=True)
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(seconds([*DOIT, *arguments], root, cpu=cpu))
        theirs.append(seconds([*DOIT, *arguments], bare, cpu=cpu))
    mine, plain = statistics.median(ours), statistics.median(theirs)
    print(
        f"{' '.join(['doit', *arguments]):<10} {state:<16} {mine:.3f} s, "
        f"doit alone {plain:.3f} s, ratio {mine / plain:.2f}",
        flush=True,
    )


def doit(root: Path, *arguments: str) -> int:
    """Run doit and return its exit code."""
    command = [*DOIT, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode


def main() -> None:
    """Print a line for each state and command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", action="store_true", help="compare processor time")
    cpu = parser.parse_args().cpu
    with tempfile.TemporaryDirectory() as name:
        root, bare = Path(name, "project"), Path(name, "bare")
        count = len(make_project(root, FIXTURES))
        bare.mkdir()
        (bare / "dodo.py").write_text(BARE.format(count=count))
        print(f"{count} steps")
        assert [doit(root), doit(root)] == [0, 0]
        compare("up to date", [], root, bare, cpu=cpu)
        compare("up to date", ["list"], root, bare, cpu=cpu)
        (root / "artifacts/f0/manifest.json").unlink()
        compare("partly built", ["list"], root, bare, cpu=cpu)
        config = root / "configs/fixtures/f0.toml"
        config.write_text(config.read_text().replace("file:model.onnx", "file:missing.onnx"))
        assert doit(root, "source:f0.model") == 1
        compare("after a failure", ["list"], root, bare, cpu=cpu)
        assert doit(root, "forget", "manifest:f1") == 0
        compare("after forget", ["list"], root, bare, cpu=cpu)
        shutil.rmtree(root / "artifacts")
        compare("nothing built", ["list"], root, bare, cpu=cpu)


if __name__ == "__main__":
    main()
