"""Twenty cases on one model of 244 MB whose file was touched: how often it is read again.

Run `python benchmarks/digests.py`. The first run after the touch reads it once, the next not at
all; both are given as seconds beyond plain doit on the same graph.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.standin import PLAIN, make_project
from benchmarks.timing import timed

RUNS = 7
WEIGHTS = 244_000_000


def main() -> None:
    """Print the two times."""
    doit = [sys.executable, "-m", "doit"]
    with tempfile.TemporaryDirectory() as name:
        root, plain = Path(name, "ours"), Path(name, "plain")
        plain.mkdir()
        needed = make_project(root, fixtures=1, cases=20, weights=WEIGHTS)
        (plain / "graph.json").write_text(json.dumps(needed))
        (plain / "dodo.py").write_text(PLAIN.format(configs=str(root / "configs/fixtures")))
        for _ in range(3):
            timed(doit, root)
        first, second, bare = [], [], []
        for _ in range(RUNS):
            (root / "artifacts/f0/f0.bin").touch()
            first.append(timed(doit, root).seconds)
            second.append(timed(doit, root).seconds)
            bare.append(timed(doit, plain).seconds)
        start = statistics.median(bare)
        print(
            f"touched: {statistics.median(first) - start:.2f} s beyond the bare start of "
            f"{start:.2f} s; again: {statistics.median(second) - start:.2f} s"
        )


if __name__ == "__main__":
    main()
