"""A report of 500 fixtures: how large it is, how long it takes to write and to open.

Run `python benchmarks/report.py` in a project in which squeezenet was built. Each fixture is a
folder of its own, with two photos that no other has, their real tensors, and the evidence and the
model of squeezenet; its steps are remembered as built. The page is opened in the machine's
Chromium, and the time is that to the end of its load event and to the first paint after it, beside
that of a page that says only "hello" in the same browser. `report.py 50` takes 50 fixtures.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.cache.cache import Cache
from pipeline.cache.history import History
from pipeline.config.load_project import load_project
from pipeline.doit_plugin.html_report import Reports
from pipeline.execution.builder import Builder
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.graph.step_graph import StepGraph
from pipeline.report.events import EventLog, RunFinished, RunStarted, StepFinished, StepStarted
from pipeline.tensor.image import image_tensor
from tests.browser import chromium

RUNS = 5
PHOTOS = {"cat": "chelsea.png", "espresso": "coffee.png"}


def main() -> None:
    """Print the sizes and times."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as name, WorkerPool(2) as workers:
        root = Path(name, "project")
        project = make_project(root, count)
        store = Cache(project.layout.cache)
        reports = Reports(
            graph=project,
            builder=Builder(store, workers),
            history=History(project.layout.step("history", ""), store.temporary.atomic_write),
            workers=workers,
            events=write_log(root, list(project.steps)),
        )
        target = root / "artifacts" / "report.html"
        known = set(project.steps)
        first = _seconds(lambda: reports.write(target, known))
        again = _seconds(lambda: reports.write(target, known))
        size = target.stat().st_size
        steps = len(project.steps)
        print(f"{count} fixtures, {2 * count} cases, {steps} steps: {size / 1e6:.1f} MB")
        print(f"written in {first:.1f} s with everything to draw, {again:.1f} s with nothing")
        hello = root / "hello.html"
        hello.write_text("<!doctype html><title>hello</title><p>hello")
        opened, bare = open_times([target, hello])
        print(
            f"opened in {opened:.2f} s, a page of one word in {bare:.2f} s; "
            f"of the 10 MB it has {size / 1e7:.0%}, of the 2 s {opened / 2:.0%}"
        )
        store.close()


def make_project(root: Path, count: int) -> StepGraph:
    """Write a project of so many copies of squeezenet, each with photos of its own."""
    from PIL import Image

    built = ROOT / "artifacts" / "squeezenet"
    sources = ROOT / "artifacts" / ".steps" / "squeezenet" / "sources"
    config = (ROOT / "configs/fixtures/squeezenet.toml").read_text()
    config = config.partition("[variant.")[0]
    shutil.copytree(ROOT / "configs", root / "configs")
    for other in (root / "configs/fixtures").iterdir():
        other.unlink()
    # The guest is a built-in one; others need sources that are not copied.
    shutil.rmtree(root / "configs/guests")
    for number in range(count):
        name = f"squeezenet-{number}"
        (root / f"configs/fixtures/{name}.toml").write_text(config)
    project = StepGraph(load_project(root))
    shutil.copytree(ROOT / "artifacts/.steps/guests", project.layout.step("guests", ""))
    photos = {case: Image.open(sources / file).convert("RGB") for case, file in PHOTOS.items()}
    for number in range(count):
        name = f"squeezenet-{number}"
        folder = root / "artifacts" / name
        shutil.copytree(built / "evidence", folder / "evidence")
        manifest = (built / "manifest.json").read_text().replace('"squeezenet', f'"{name}')
        (folder / "manifest.json").write_text(manifest)
        for end in ("xml", "bin"):
            (folder / f"{name}.{end}").symlink_to(built / f"squeezenet.{end}")
        place = project.layout.step(name, "sources")
        shutil.copytree(sources, place)
        shutil.copy(
            ROOT / "artifacts/.steps/squeezenet/interface.json",
            project.layout.step(name, "interface.json"),
        )
        fixture = project.configs.fixtures[name]
        for case, file in PHOTOS.items():
            photo = photos[case]
            x, y = number % 60, number // 60
            part = photo.crop((x, y, x + photo.width - 80, y + photo.height - 40))
            part.save(place / file, compress_level=1)
            given = fixture.tensor[case]["data"]
            array = image_tensor(place / file, given, (1, 3, 227, 227), name)
            step = project.step("tensor", name, case)
            array.tofile(step.outputs["tensor"])
    return project


def write_log(root: Path, steps: list[str]) -> Path:
    """Write the events of a run in which every step was built, in four threads."""
    log = EventLog(root / "artifacts" / ".steps" / "events")
    began = time.time()
    told: list[Any] = [
        RunStarted(
            version=1,
            arguments=[],
            steps=len(steps),
            pipeline="0.1.0",
            python="3.13",
            process=1,
            time=began,
        )
    ]
    for number, step in enumerate(steps):
        start = began + number // 4
        told.append(
            StepStarted(
                step=step,
                thread=number % 4 + 1,
                reasons=("never built in this project",),
                time=start,
            )
        )
        told.append(
            StepFinished(
                step=step, outcome="built", seconds=0.9, key="", outputs={}, time=start + 0.9
            )
        )
    told.append(
        RunFinished(
            exit_code=0,
            interrupted=False,
            seconds=len(steps) / 4,
            current=0,
            ran=len(steps),
            failed=0,
            blocked=0,
        )
    )
    for event in told:
        log.write(event)
    log.close()
    return log.folder


def open_times(pages: list[Path]) -> list[float]:
    """Return the median time in seconds in which each page is loaded and painted."""
    found: dict[Path, list[float]] = {page: [] for page in pages}
    with chromium() as browser:
        for _ in range(RUNS):
            for page in pages:
                tab = browser.new_page()
                started = time.perf_counter()
                tab.goto(page.as_uri())
                tab.evaluate("new Promise(d => requestAnimationFrame(() => setTimeout(d)))")
                found[page].append(time.perf_counter() - started)
                tab.close()
    return [statistics.median(times) for times in found.values()]


def _seconds(action: Any) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
