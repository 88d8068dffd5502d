"""kill -9 and SIGTERM at named points of every step; the next runs end as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from tests.faults import kill_program
from tests.faults.twins import until
from tests.faults.variants import DAMAGED, EDITED, STEPS, damage, edit_for
from tests.tiny import ROOT, Project, Run

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# Of every step; the others are common to all of them.
OF_EVERY_STEP = ("place", "rename", "record")
OF_ANY_STEP = ("withdraw", "written", "sync", "keep")
OF_A_RESTORE = ("fetch", "place")
# Those of a fixture's folder.
PUBLISHING = ("tensor:tiny.red", "ir:tiny", "fixture:tiny", "verify:tiny.red", "manifest:tiny")
# An output that the cache holds already is not copied there again: an IR with an edit never is.
ONLY_IN = {"clear": "verify:tiny.red", "drop": "manifest:tiny", "write": "ir:tiny"}


@dataclass(frozen=True)
class Kill:
    """One kill to come: at a point of a step that builds anew, or restores what it made before."""

    step: str
    point: str
    number: signal.Signals
    restores: bool = False


class Killing:
    """A project whose runs are killed, and a log of where they were."""

    def __init__(self, project: Project, chance: random.Random) -> None:
        self.project = project
        self.token = uuid.uuid4().hex
        self.log = project.root.with_name(f"{project.root.name}.log")
        self.log.touch()
        self._chance = chance
        self._variant = 0

    def passages(self) -> Counter[str]:
        """Return how often a run was killed at each point of each step."""
        return Counter(self.log.read_text().splitlines())

    def kill(self, kill: Kill) -> None:
        """Run the step until it was killed at the point."""
        place = f"{kill.step} {kill.point}"
        before = self.passages()[place]
        # A later passage may not come, or a step build what it should restore, since its record
        # was never written: then that run heals the project, and the next one gets there.
        for nth in (self._chance.randint(1, 3), 1, 1, 1):
            if kill.restores:
                damage(self.project, kill.step)
            else:
                self._variant += 1
                edit_for(self.project, kill.step, self._variant)
            run = self.run(kill, nth)
            assert "Traceback" not in run.output, f"{kill}\n{run.output}"
            self._assert_a_manifest_vouches_for_what_is_there()
            if self.passages()[place] > before:
                code = {signal.SIGKILL: -9, signal.SIGTERM: 143}[kill.number]
                assert run.returncode == code, f"{kill}\n{run.output}"
                return
            assert run.returncode == 0, f"{kill}\n{run.output}"
        pytest.fail(f"no run came to {kill}")

    def orphans(self) -> list[str]:
        """Return the processes that are left of all runs, once they had time to notice."""
        for _ in range(300):
            left = self.processes("")
            if not left:
                break
            time.sleep(0.1)
        return [str(process) for process in left]

    def processes(self, word: str) -> list[psutil.Process]:
        """Return the processes of this project's runs whose command line has a word."""
        return [p for p in psutil.process_iter() if self._is_ours(p, word)]

    def run(self, kill: Kill, nth: int) -> Run:
        """Run the step, to be killed at the n-th passage of the point."""
        program = Path(kill_program.__file__)
        point = [kill.step, kill.point, str(nth), str(int(kill.number)), str(self.log)]
        done = subprocess.run(
            [sys.executable, program, *point, kill.step],
            cwd=self.project.root,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT), "FAULTS": self.token},
        )
        return Run(done.returncode, done.stdout + done.stderr)

    def _assert_a_manifest_vouches_for_what_is_there(self) -> None:
        manifest = self.project.folder / "manifest.json"
        if manifest.exists() and manifest.read_bytes() != DAMAGED:
            for file in json.loads(manifest.read_bytes())["files"]:
                data = (self.project.folder / file["path"]).read_bytes()
                assert data == DAMAGED or sha256(data).hexdigest() == file["sha256"], file

    def _is_ours(self, process: psutil.Process, word: str) -> bool:
        try:
            # A compiler has an environment of its own, but works in a folder of the project.
            ours = process.environ().get("FAULTS") == self.token
            ours = ours or process.cwd().startswith(f"{self.project.root}/")
            return ours and word in " ".join(process.cmdline())
        except psutil.Error:
            return False


def planned(chance: random.Random) -> list[list[Kill]]:
    """Return every kill, one with each signal, in one list for each step.

    Or as many of them as the environment variable FAULTS_DRAWS says, drawn from all.
    """
    kills = []
    for when in ("before", "after"):
        for number in SIGNALS:
            for name in OF_EVERY_STEP:
                kills += [Kill(step, f"{when} {name}", number) for step in STEPS]
            for name in OF_ANY_STEP:
                kills.append(Kill(chance.choice(STEPS), f"{when} {name}", number))
            for name in OF_A_RESTORE:
                kills.append(Kill(chance.choice(STEPS), f"{when} {name}", number, restores=True))
            kills.append(Kill(chance.choice(PUBLISHING), f"{when} note", number))
            for name, step in ONLY_IN.items():
                kills.append(Kill(step, f"{when} {name}", number))
    chance.shuffle(kills)
    drawn = os.environ.get("FAULTS_DRAWS")
    kills = kills[: int(drawn)] if drawn else kills
    # A run that has to bring all other steps up to date first takes longest.
    return [[kill for kill in kills if kill.step == step] for step in chance.sample(STEPS, 7)]


def state(project: Project) -> dict[str, bytes]:
    """Return the fixture's files, with the seconds that something took, and digests of these."""
    return {
        path.relative_to(project.folder).as_posix(): re.sub(
            rb'("(?:component|guest|native|golden)": |`report.json`: sha256 `)[\da-f.e-]+',
            rb"\1",
            path.read_bytes(),
        )
        for path in project.folder.rglob("*")
        if path.is_file()
    }


def copy_of(project: Project, root: Path) -> Project:
    shutil.copytree(project.root, root)
    return Project(root)


def assert_nothing_is_left_over(project: Project) -> None:
    left = [path for path in project.root.rglob("*") if re.search(r"\.part|corrupt", path.name)]
    assert left == []
    assert list((project.root / "artifacts/.cache/tmp").iterdir()) == []


def assert_nothing_to_do(project: Project) -> None:
    assert project.doit().output.startswith("nothing to do")


@pytest.mark.slow
def test_runs_that_are_killed_end_equal_to_undisturbed_ones(built: Project, tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULTS_SEED", random.SystemRandom().randrange(2**32)))
    print(f"FAULTS_SEED={seed}")
    chance = random.Random(seed)
    plans = planned(chance)
    killings = [
        Killing(copy_of(built, tmp_path / name), random.Random(chance.random()))
        for name in ("ein Projekt", "noch ein Projekt")
    ]

    def end_all(killing: Killing, plan: list[list[Kill]]) -> None:
        for kill in (kill for kills in plan for kill in kills):
            killing.kill(kill)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(end_all, killings, (plans[::2], plans[1::2])))

    hits = killings[0].passages() + killings[1].passages()
    points = Counter[str]()
    for place, count in hits.items():
        points[place.partition(" ")[2]] += count
    for point, count in sorted(points.items()):
        print(f"{count:>4} killed {point}")
    drawn = [kill for plan in plans for kill in plan]
    assert hits == Counter(f"{kill.step} {kill.point}" for kill in drawn)
    if "FAULTS_DRAWS" not in os.environ:
        named = {f"{w} {name}" for w in ("before", "after") for name in kill_program.FUNCTIONS}
        assert {point for point in named if points[point] < 2} == set()
        every = {
            f"{step} {point}"
            for step in STEPS
            for point in named
            if point.split()[1] in OF_EVERY_STEP
        }
        assert {place for place in every if hits[place] < 2} == set()
        assert hits.total() >= 50

    for killing in killings:
        battered = killing.project
        assert killing.orphans() == []
        # What was being built when the last kill came…
        undisturbed = copy_of(built, battered.root.with_name(f"{battered.root.name}, in Ruhe"))
        for name in EDITED:
            shutil.copy(battered.root / name, undisturbed.root / name)
        for project in (battered, undisturbed):
            run = project.doit()
            assert run.returncode == 0, run.output
        assert state(battered) == state(undisturbed)
        assert_nothing_is_left_over(battered)
        assert_nothing_to_do(battered)
        # …and what had been built before all of them.
        for name in EDITED:
            shutil.copy(built.root / name, battered.root / name)
        run = battered.doit()
        assert run.returncode == 0, run.output
        assert run.steps("built") == set()
        assert state(battered) == state(built)
        assert_nothing_is_left_over(battered)
        assert_nothing_to_do(battered)
        assert killing.orphans() == []


@pytest.mark.parametrize("point", ["after note", "before drop", "after drop", "after record"])
def test_what_a_killed_run_no_longer_publishes_goes_with_the_next(
    project: Project, point: str
) -> None:
    project.config.write_text(project.config.read_text().replace(".red", ".rosso"))
    project.edit('image = "red"', 'image = "rosso"')
    killing = Killing(project, random.Random(0))
    run = killing.run(Kill("manifest:tiny", point, signal.SIGKILL), 1)
    assert run.returncode == -signal.SIGKILL, run.output
    assert project.doit().returncode == 0
    names = [path.name for path in project.folder.rglob("*")]
    assert [name for name in names if name.startswith("red")] == []


def test_what_was_published_before_a_kill_is_known_as_such(project: Project) -> None:
    project.edit("shape = [1, 3, 8, 8]", "shape = [1, 3, 9, 9]")
    killing = Killing(project, random.Random(0))
    run = killing.run(Kill("tensor:tiny.red", "after record", signal.SIGKILL), 1)
    assert run.returncode == -signal.SIGKILL, run.output
    wrong = project.folder / "red-1x3x9x9-f32.rgb"
    assert wrong.exists()
    # It is up to date now, so nothing is done for it any more…
    assert "tensor:tiny.red" not in project.doit().steps("built")
    project.edit("shape = [1, 3, 9, 9]", "shape = [1, 3, 8, 8]")
    assert project.doit().returncode == 0
    # …but that it is ours was known before it was there.
    assert not wrong.exists()


def test_a_compiler_ends_with_the_run_that_is_killed(project: Project, tmp_path: Path) -> None:
    # Without its cache the compiler builds its C library, which takes long.
    project.config.parents[1].joinpath("project.toml").write_text(
        f"toolchains = {str(tmp_path / 'toolchains')!r}\n"
    )
    edit_for(project, "guest:classify", 1)
    killing = Killing(project, random.Random(0))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(killing.run, Kill("guest:classify", "never", signal.SIGKILL), 1)
        until(lambda: len(killing.processes("zig")) > 1, "the compiler's own children")
        (engine,) = killing.processes("kill_program.py")
        engine.kill()
        assert run.result().returncode == -signal.SIGKILL
    assert killing.orphans() == []
