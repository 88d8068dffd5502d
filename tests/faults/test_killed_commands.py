"""kill -9 at random changes of files of commands; the next run ends as if nothing had been."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from tests.faults.twins import until
from tests.fork_server import Finished, run_module, wasi_nn
from tests.programs import require_program
from tests.telemetry.test_commands import write_key
from tests.tiny import ROOT, Project

MODULES = {"wasi-nn": "pipeline.cli.main", "doit": "doit"}
_MAIN = "tests.faults.killed_command"
# What a run may write anew each time: who used something when, and what is still going on.
_PASSING = (".cache", ".steps", ".publishing.lock", "report.html")


@dataclass(frozen=True)
class Command:
    """A command, the folder that it writes, and the one that is copied there before each run."""

    words: tuple[str, ...]
    result: str
    before: str = ""


COMMANDS = {
    "convert": Command(("wasi-nn", "convert", "tiny.onnx", "-o", "converted"), "converted"),
    "fetch": Command(
        ("wasi-nn", "fetch", "tiny@1.0", "--from", "places", "-o", "fetched"), "fetched"
    ),
    "publish": Command(
        ("doit", "publish", "--to", "published", "--as", "2.0", "tiny"), "published"
    ),
    "sign": Command(
        ("doit", "publish", "--to", "signed", "--as", "3.0", "--sign", "key.pem", "tiny"), "signed"
    ),
    "lock": Command(("doit", "lock"), "artifacts", before="built"),
    "gc": Command(("doit", "gc", "--limit", "1 KiB"), "artifacts", before="built"),
}


class Killed:
    """A project in which a command is killed, and what its runs share."""

    def __init__(self, built: Project, folder: Path) -> None:
        self.root = folder / "project"
        shutil.copytree(built.root, self.root, symlinks=True)
        write_key(self.root / "key.pem")
        self.token = uuid.uuid4().hex
        self.log = folder / "count"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        shutil.copytree(self.root / "artifacts", folder / "built", symlinks=True)
        published = self.doit("publish", "--to", "places", "--as", "1.0", "tiny")
        assert published.returncode == 0, published.stderr

    @property
    def env(self) -> dict[str, str]:
        """The environment of all runs, by which their processes are found."""
        cache = str(self.root.parent / "cache")
        return {"TMPDIR": str(self.temporary), "WASI_NN_CACHE": cache, "FAULTS": self.token}

    def doit(self, *words: str) -> Finished:
        """Run doit undisturbed."""
        return run_module("doit", *words, cwd=self.root, env=self.env, seconds=600)

    def run(self, command: Command, nth: int, clock: int = 0) -> Finished:
        """Run a command on its own, to be killed at its n-th change; 0 is never."""
        words = (str(nth), str(self.log), *command.words)
        env = {**self.env, "FAULTS_CLOCK": str(clock)}
        return run_module(_MAIN, *words, cwd=self.root, env=env, seconds=600)

    def begin(self, command: Command) -> None:
        """Remove what the command made, and what it keeps for itself."""
        shutil.rmtree(self.root / command.result, ignore_errors=True)
        if command.before:
            before, result = self.root.parent / command.before, self.root / command.result
            shutil.copytree(before, result, symlinks=True)
        shutil.rmtree(self.root.parent / "cache", ignore_errors=True)

    def bytes_of(self, command: Command) -> Mapping[str, str]:
        """Return the digest of each file that the command is to write."""
        top = self.root / command.result
        return {
            path.relative_to(top).as_posix(): sha256(_unsigned(path)).hexdigest()
            for path in sorted(top.rglob("*"))
            if path.is_file()
            and not any(part in _PASSING for part in path.relative_to(top).parts)
            and path.name != "model.sig"
        }

    def left_over(self) -> list[str]:
        """Return the temporary files of all runs, wherever they are."""
        places = (self.root, self.temporary, self.root.parent / "cache")
        named = [path for place in places for path in place.rglob("*") if _is_temporary(path)]
        others = [path for path in self.temporary.iterdir() if not _is_probe(path)]
        return [str(path) for path in (*named, *others)]

    def processes(self) -> list[psutil.Process]:
        """Return the processes that are left of all runs."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("FAULTS") == self.token:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def _unsigned(path: Path) -> bytes:
    """Return a file's bytes without what follows from a signature, which has random numbers."""
    data = path.read_bytes()
    if path.name == "release.json":
        release = json.loads(data)
        release.pop("signature", None)
        return json.dumps(release).encode()
    if path.name == "index.json" and b"model.sig" in data:
        return re.sub(rb'"release": "sha256:[0-9a-f]+"', b"", data)
    return data


def _is_probe(path: Path) -> bool:
    """Return whether Python itself wrote a file, to see whether it can use the folder."""
    return path.is_file() and len(path.name) == 8 and path.read_bytes() in (b"", b"blat")


def _is_temporary(path: Path) -> bool:
    return path.name.endswith(".part") or path.name.startswith((".signing", ".tiny-"))


def check_kills(killed: Killed, name: str, draws: int) -> None:
    """Kill a command ``draws`` times, each time at another change, and run it to its end."""
    command = COMMANDS[name]
    chance = random.Random(int(os.environ.get("FAULTS_SEED", "1")))
    killed.begin(command)
    done = killed.run(command, 0)
    assert done.returncode == 0, done.stderr
    expected, changes = killed.bytes_of(command), int(killed.log.read_text())
    assert expected
    assert changes >= 1
    died = 0
    for nth in (chance.randint(1, changes) for _ in range(draws)):
        killed.begin(command)
        # A run may have fewer changes than the first one, and end before the drawn one.
        code = killed.run(command, nth).returncode
        assert code in (-9, 0)
        died += code == -9
        done = killed.run(command, 0)
        assert done.returncode == 0, (nth, done.stdout, done.stderr)
        assert killed.bytes_of(command) == expected, nth
        assert killed.left_over() == [], nth
    until(lambda: not killed.processes(), "no process is left")
    print(f"{name}: {died} of {draws} killed")
    assert 2 * died >= draws


@pytest.fixture
def killed(built: Project, tmp_path: Path) -> Killed:
    return Killed(built, tmp_path)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_nothing_that_the_next_run_keeps(
    killed: Killed, name: str
) -> None:
    check_kills(killed, name, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_fifty_times_ends_as_an_undisturbed_one(
    killed: Killed, name: str
) -> None:
    check_kills(killed, name, int(os.environ.get("FAULTS_DRAWS", "50")))


@pytest.mark.parametrize("name", ["convert", "fetch", "publish"])
def test_three_at_once_write_what_one_does(killed: Killed, name: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    command = COMMANDS[name]
    killed.begin(command)
    assert killed.run(command, 0).returncode == 0
    expected = killed.bytes_of(command)
    killed.begin(command)
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: killed.run(command, 0), range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], [each.stderr for each in done]
    assert killed.bytes_of(command) == expected
    assert killed.left_over() == []


@pytest.mark.parametrize("name", ["convert", "fetch", "publish", "gc"])
def test_a_clock_that_was_set_back_after_a_kill_changes_nothing(killed: Killed, name: str) -> None:
    command = COMMANDS[name]
    killed.begin(command)
    assert killed.run(command, 0).returncode == 0
    expected, changes = killed.bytes_of(command), int(killed.log.read_text())
    killed.begin(command)
    killed.run(command, max(1, changes // 2))
    done = killed.run(command, 0, clock=-400 * 24 * 3600)
    assert done.returncode == 0, done.stderr
    assert killed.bytes_of(command) == expected
    assert killed.left_over() == []


@pytest.mark.parametrize("place", ["output", "temporary"])
@pytest.mark.parametrize("how", ["full", "read-only"])
@pytest.mark.parametrize("name", ["convert", "fetch", "publish"])
def test_a_file_system_that_takes_nothing_costs_one_error(
    killed: Killed, name: str, how: str, place: str
) -> None:
    command = COMMANDS[name]
    killed.begin(command)
    assert killed.run(command, 0).returncode == 0
    expected = killed.bytes_of(command)
    killed.begin(command)
    target = killed.temporary if place == "temporary" else killed.root / command.result
    target.mkdir(exist_ok=True)
    words = [sys.executable, "-m", MODULES[command.words[0]], *command.words[1:]]
    done = in_a_mount(killed, target, how, words)
    assert "Traceback" not in done.stderr, done.stderr
    # Not every command needs a temporary folder, or more of one than 16 KB.
    if place == "output" or done.returncode != 0:
        assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
        assert done.stderr.count("error[") == 1, done.stderr
    if place == "output":
        target.rmdir()
    assert killed.run(command, 0).returncode == 0
    assert killed.bytes_of(command) == expected
    assert killed.left_over() == []


def in_a_mount(
    killed: Killed, target: Path, how: str, words: list[str]
) -> subprocess.CompletedProcess[str]:
    """Run a command where a folder is full or read-only; no other process sees the mount."""
    place = shlex.quote(str(target))
    mount = {
        "full": f"mount -t tmpfs -o size=16k none {place} && head -c 1M /dev/zero >{place}/zeros",
        "read-only": f"mount --bind {place} {place} && mount -o remount,ro,bind {place}",
    }[how]
    require_program("unshare")
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"]).returncode != 0:
        pytest.skip("mounting needs root, and a system that allows it")
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{mount}; exec {shlex.join(words)}"],
        cwd=killed.root,
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **killed.env, "PYTHONPATH": str(ROOT)},
    )


def test_another_command_sweeps_what_a_killed_one_left(killed: Killed) -> None:
    command = COMMANDS["convert"]
    killed.begin(command)
    assert killed.run(command, 0).returncode == 0
    changes = int(killed.log.read_text())
    for nth in range(1, changes, max(1, changes // 2)):
        killed.begin(command)
        assert killed.run(command, nth).returncode == -9
        done = wasi_nn("inspect", "red.png", cwd=killed.root, env=killed.env)
        assert "Traceback" not in done.stderr
        assert killed.left_over() == [], nth
