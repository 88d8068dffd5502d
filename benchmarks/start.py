"""How fast doit starts here: `doit list` and a run with nothing to do, against doit alone.

Run `python benchmarks/start.py` in a project that was built. Each command runs in turn with the
other, so that a machine whose speed drifts slows both; the ratio of the medians is what counts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
ROOT = Path(__file__).resolve().parents[1]
BARE = """\
def task_step():
    for number in range({count}):
        yield {{"name": str(number), "actions": [(lambda: None,)], "uptodate": [True]}}
"""


def seconds(command: list[str], folder: Path) -> float:
    """Return the wall time of one run of a command."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Print a line for each command."""
    doit = [sys.executable, "-m", "doit"]
    listed = subprocess.run(
        [*doit, "list", "--all", "-q"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    count = sum(1 for line in listed.stdout.splitlines() if ":" in line)
    with tempfile.TemporaryDirectory() as name:
        bare = Path(name)
        (bare / "dodo.py").write_text(BARE.format(count=count))
        for arguments in (["list"], []):
            ours, theirs = [], []
            for _ in range(RUNS):
                ours.append(seconds([*doit, *arguments], ROOT))
                theirs.append(seconds([*doit, *arguments], bare))
            mine, plain = statistics.median(ours), statistics.median(theirs)
            what = " ".join(["doit", *arguments])
            print(
                f"{what:<10} {mine:.3f} s, doit alone on {count} steps {plain:.3f} s, "
                f"ratio {mine / plain:.2f}"
            )


if __name__ == "__main__":
    main()
