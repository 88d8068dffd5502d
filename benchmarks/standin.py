"""A project whose steps are remembered as built, with stand-ins of one byte for its outputs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.cache.action_records import Record
from pipeline.cache.cache import Cache
from pipeline.cache.digest import Digest
from pipeline.config.load_project import load_project
from pipeline.execution.builder import Builder
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.graph.all_steps import all_steps
from pipeline.graph.layout import Layout

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
[guest]
program = "classify"
seconds = 20
memory = "64 MiB"
[golden]
executor = "onnxruntime"
"""
CASE = """\
[tensor.case{number}.x]
image = "photo"
resize = "opencv-linear"
colour = "RGB"
range = "0-255"
type = "f32"
layout = "NCHW"
[expect.case{number}]
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


def make_project(
    root: Path, fixtures: int, cases: int = 1, weights: int = 1
) -> dict[str, list[str]]:
    """Write a project and remember its steps as built; return what each step needs.

    ``weights`` is the size of each .bin in bytes.
    """
    (root / "configs/fixtures").mkdir(parents=True)
    shutil.copy(ROOT / "dodo.py", root)
    (root / "model.onnx").write_bytes(b"a model")
    (root / "photo.png").write_bytes(b"a photo")
    text = FIXTURE + "".join(CASE.format(number=number) for number in range(cases))
    for number in range(fixtures):
        (root / f"configs/fixtures/f{number}.toml").write_text(text)
    configs = load_project(root)
    layout = Layout(configs)
    steps = all_steps(layout)
    store = Cache(layout.cache)
    builder = Builder(store, WorkerPool(1))
    makers, needed = {}, {}
    for action in steps:
        files = {}
        for label, path in action.outputs.items():
            member = action.evidence.name if action.evidence and label.endswith("/") else ""
            file = path / member if member else path
            file.parent.mkdir(parents=True, exist_ok=True)
            data = bytes(weights) if label == "bin" else b"1"
            file.write_bytes(data)
            files[label] = {member: Digest.of_bytes(data)}
            makers[file] = action.name
        needed[action.name] = sorted({makers[p] for p in action.inputs.values() if p in makers})
        store.records.put(builder.key(action), Record(action=action.name, outputs=files, seconds=1))
    builder.close()
    return needed
