"""One graph of steps as two projects: one for plain doit, one for the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.tiny import FIXTURE, ROOT, Run

_PLAIN = """\
from pathlib import Path
from doit import dependency
from tests.faults.graphs import plain_tasks

def counted(path, real=dependency.get_file_md5):
    with open("read", "a") as stream:
        stream.write(f"{path}\\n")
    return real(path)

dependency.get_file_md5 = counted
DOIT_CONFIG = {"backend": "json", "dep_file": "state.json"}

def task_ir():
    yield from plain_tasks(Path(__file__).parent, "GRAPH")
"""
_OURS = """\
from pipeline.graph import step_graph
from pipeline.doit_plugin import load
from pipeline.cache.digest import Digest
from tests.faults.graphs import GRAPHS

def counted(path, real=Digest.of_file):
    with open("read", "a") as stream:
        stream.write(f"{path}\\n")
    return real(path)

Digest.of_file = counted
assert step_graph.all_steps
step_graph.all_steps = lambda layout, codes: GRAPHS["GRAPH"](layout.root)
settings, task_steps = load(__file__)
DOIT_CONFIG = {**settings, "default_tasks": ["ir"]}
"""


@dataclass(frozen=True)
class Twin:
    """A project folder with ``in.txt`` and ``other.txt``, and one graph of steps."""

    root: Path

    @property
    def source(self) -> Path:
        """The input of the first step."""
        return self.root / "in.txt"

    def made(self, name: str) -> Path:
        """Return a step's target."""
        return self.root / "artifacts" / f"{name}.txt"

    def text(self, name: str) -> str:
        """Return what a step's target holds, or that there is none."""
        return self.made(name).read_text() if self.made(name).exists() else "none"

    def running(self) -> list[str]:
        """Return the steps that started since ``ran`` was last asked, in alphabetic order."""
        path = self.root / "ran"
        return sorted(path.read_text().split()) if path.exists() else []

    def ran(self) -> list[str]:
        """Return the steps that ran since this was last asked, in order."""
        return self._take("ran")

    def read(self, name: str) -> int:
        """Return how often a file was hashed since this was last asked."""
        return sum(1 for line in self._take("read") if line.endswith(f"/{name}"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start doit there, as the leader of a process group."""
        return subprocess.Popen(
            [sys.executable, "-m", "doit", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
            # Started from a background shell it would ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def doit(self, *arguments: str) -> Run:
        """Run doit there until it ends."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        return Run(process.returncode, output)

    def _take(self, name: str) -> list[str]:
        path = self.root / name
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines


def twins(folder: Path, graph: str) -> tuple[Twin, Twin]:
    """Return the graph under plain doit, and under the engine."""
    made = []
    for name, dodo in (("plain", _PLAIN), ("ours", _OURS)):
        root = folder / name
        (root / "configs/fixtures").mkdir(parents=True)
        (root / "configs/fixtures/tiny.toml").write_text(FIXTURE)
        (root / "dodo.py").write_text(dodo.replace('GRAPH"', f'{graph}"'))
        for number, source in enumerate(("in.txt", "other.txt")):
            (root / source).write_text(f"some text {number}")
        made.append(Twin(root))
    return made[0], made[1]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; a minute without it is a failure."""
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")


@contextmanager
def ended(*processes: subprocess.Popen[str]) -> Iterator[None]:
    """Leave nothing running, whatever comes."""
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
