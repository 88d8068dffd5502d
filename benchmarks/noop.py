"""A run with nothing to do, at 100 and 1,000 fixtures and at 10,000 steps, against plain doit.

Run `python benchmarks/noop.py`. The steps are declared by real configs and remembered as built;
only their outputs are stand-ins of one byte, since building 1,000 fixtures takes hours. Plain
doit runs the same names and edges with empty actions, and reads the same TOML. Runs alternate, so
that a machine whose speed drifts slows both; the ratio of the medians is what counts.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.timing import timed  # noqa: E402
from pipeline.config.load import load_project  # noqa: E402
from pipeline.engine.steps import Layout, all_steps  # noqa: E402
from pipeline.store.digest import Digest  # noqa: E402
from pipeline.store.records import Record  # noqa: E402
from pipeline.store.store import Store  # noqa: E402
from pipeline.work.build import Builder  # noqa: E402
from pipeline.work.pool import Workers  # noqa: E402

RUNS = 7
FIXTURE = """\
description = "a stand-in"
[source.model]
urls = ["file:model.onnx"]
license = "Apache-2.0"
[source.photo]
urls = ["file:photo.png"]
license = "Apache-2.0"
[model]
framework = "onnx"
files = { model = "model" }
inputs.x = { shape = [1, 3, 8, 8], mean = [10, 20, 30] }
precision = "f32"
[tensor.red.x]
image = "photo"
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"
[guest]
program = "classify"
seconds = 20
memory = "64 MiB"
[golden]
executor = "onnxruntime"
absolute = 1e-4
relative = 1e-4
[expect.red]
top1 = 0
"""
PLAIN = """\
import json, tomllib
from pathlib import Path
for path in Path({configs!r}).glob("*.toml"):
    tomllib.loads(path.read_text())
def task_step():
    for name, needed in json.loads(Path("graph.json").read_text()).items():
        yield {{"name": name, "actions": [(lambda: None,)], "uptodate": [True],
               "task_dep": ["step:" + other for other in needed]}}
"""


def make_project(root: Path, fixtures: int) -> dict[str, list[str]]:
    """Write a project and remember its steps as built; return what each step needs."""
    (root / "configs/fixtures").mkdir(parents=True)
    (root / "configs/guests").mkdir()
    shutil.copy(ROOT / "dodo.py", root)
    shutil.copytree(ROOT / "guests", root / "guests")
    shutil.copy(ROOT / "configs/guests/classify.toml", root / "configs/guests")
    (root / "model.onnx").write_bytes(b"a model")
    (root / "photo.png").write_bytes(b"a photo")
    for number in range(fixtures):
        (root / f"configs/fixtures/f{number}.toml").write_text(FIXTURE)
    configs = load_project(root)
    steps = all_steps(configs)
    store = Store(Layout(configs).cache)
    builder = Builder(store, Workers(1))
    makers, needed = {}, {}
    for action in steps:
        files = {}
        for label, path in action.outputs.items():
            member = "report.json" if label.endswith("/") else ""
            file = path / member if member else path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"1")
            files[label] = {member: Digest.of_bytes(b"1")}
            makers[file] = action.name
        needed[action.name] = sorted({makers[p] for p in action.inputs.values() if p in makers})
        store.records.put(builder.key(action), Record(action=action.name, outputs=files, seconds=1))
    builder.close()
    return needed


def main() -> None:
    """Print a line for each size."""
    doit = [sys.executable, "-m", "doit"]
    for fixtures in (100, 1000, 1430):
        with tempfile.TemporaryDirectory() as name:
            root, plain = Path(name, "ours"), Path(name, "plain")
            needed = make_project(root, fixtures)
            plain.mkdir()
            (plain / "graph.json").write_text(json.dumps(needed))
            (plain / "dodo.py").write_text(PLAIN.format(configs=str(root / "configs/fixtures")))
            for _ in range(3):
                done = subprocess.run(doit, cwd=root, capture_output=True, text=True, check=True)
                assert done.stdout.startswith("nothing to do"), done.stdout
            rows = [(timed(doit, root), timed(doit, plain)) for _ in range(RUNS)]
            ours = statistics.median(mine.seconds for mine, _ in rows)
            theirs = statistics.median(other.seconds for _, other in rows)
            memory = max(mine.memory for mine, _ in rows)
            print(
                f"{fixtures} fixtures, {len(needed)} steps: "
                f"{ours:.2f} s, {memory / 2**20:.0f} MiB; "
                f"plain doit and the same TOML {theirs:.2f} s; ratio {ours / theirs:.2f}"
            )


if __name__ == "__main__":
    main()
