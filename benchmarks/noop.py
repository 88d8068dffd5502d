"""A run with nothing to do, at 100 and 1,000 fixtures and at 10,000 steps, against plain doit.

Run `python benchmarks/noop.py`. The steps are declared by real configs and remembered as built;
only their outputs are stand-ins of one byte, since building 1,000 fixtures takes hours. Plain
doit runs the same names and edges with empty actions, and reads the same TOML. Runs alternate, so
that a machine whose speed drifts slows both; the ratio of the medians is what counts. `dvc repro`
runs 1,000 stages, each on the output of the one before, where DVC is installed:
`pip install -e '.[benchmarks]'`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.standin import PLAIN, make_project
from benchmarks.timing import timed

RUNS = 7
DOIT = [sys.executable, "-m", "doit"]


def main() -> None:
    """Print a line for each size."""
    for fixtures in (100, 1000, 1430):
        with tempfile.TemporaryDirectory() as name:
            root, plain = Path(name, "ours"), Path(name, "plain")
            needed = make_project(root, fixtures)
            plain.mkdir()
            (plain / "graph.json").write_text(json.dumps(needed))
            (plain / "dodo.py").write_text(PLAIN.format(configs=str(root / "configs/fixtures")))
            for _ in range(3):
                done = subprocess.run(DOIT, cwd=root, capture_output=True, text=True, check=True)
                assert done.stdout.startswith("nothing to do"), done.stdout
            rows = [(timed(DOIT, root), timed(DOIT, plain)) for _ in range(RUNS)]
            ours = statistics.median(mine.seconds for mine, _ in rows)
            theirs = statistics.median(other.seconds for _, other in rows)
            memory = max(mine.memory for mine, _ in rows)
            print(
                f"{fixtures} fixtures, {len(needed)} steps: "
                f"{ours:.2f} s, {memory / 2**20:.0f} MiB; "
                f"plain doit and the same TOML {theirs:.2f} s; ratio {ours / theirs:.2f}"
            )
    print(against_dvc(1000))


def against_dvc(count: int) -> str:
    """Return how long `dvc repro` takes with nothing to do, beside ours on as many steps."""
    if find_spec("dvc") is None:
        return "dvc is not installed: pip install -e '.[benchmarks]'"
    dvc = [sys.executable, "-m", "dvc"]
    with tempfile.TemporaryDirectory() as name:
        root, folder = Path(name, "ours"), Path(name, "dvc")
        folder.mkdir()
        steps = len(make_project(root, fixtures=count // 7))
        stages = {
            f"step{number}": {
                "cmd": f"echo {number} > {number}.txt",
                "deps": [f"{number - 1}.txt"],
                "outs": [f"{number}.txt"],
            }
            for number in range(1, count + 1)
        }
        for number in range(count + 1):
            (folder / f"{number}.txt").write_text(f"{number}\n")
        # JSON is YAML too.
        (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
        timed([*dvc, "init", "--no-scm", "-q"], folder)
        # Its first run takes a quarter of an hour; this tells it that all is done.
        timed([*dvc, "commit", "-f", "-q"], folder)
        for _ in range(3):
            timed(DOIT, root)
        ours = statistics.median(timed(DOIT, root).seconds for _ in range(RUNS))
        theirs = statistics.median(timed([*dvc, "repro", "-q"], folder).seconds for _ in range(3))
    return (
        f"{steps} steps: {ours:.2f} s; dvc repro, {count} stages: {theirs:.2f} s; "
        f"ratio 1 to {theirs / ours:.0f}"
    )


if __name__ == "__main__":
    main()
