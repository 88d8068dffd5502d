"""Completion in the shells themselves: bash and zsh on a terminal, fish by its own question."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.programs import require_program
from tests.terminal import Terminal
from tests.tiny import ROOT, Project

SHELLS = ("bash", "zsh", "fish")
# What makes Ctrl-G print the line that stands to be edited, after the number of the question.
SHOW = {
    "bash": ["""bind -x '"\\C-g": echo "line $((++number)) <$READLINE_LINE>"'"""],
    "zsh": [
        """show() { zle -I; print -r "line $((++number)) <$BUFFER>" }""",
        "zle -N show; bindkey '^G' show",
    ],
}
BIN = Path(sys.executable).parent
Ask = Callable[[str], str]


def environment(home: Path) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {
        "PATH": path,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "ZDOTDIR": str(home),
    }


def script(folder: Path, command: str, shell: str) -> Path:
    """Write what `COMMAND completion SHELL` prints to a file."""
    run = [str(BIN / command), "completion", shell]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=True, env=env)
    path = folder / f"{command}.{shell}"
    path.write_text(done.stdout)
    return path


@contextmanager
def typing(shell: str, folder: Path, home: Path) -> Iterator[Ask]:
    """Yield a function that types a line and TAB, and returns what the shell makes of it."""
    flags = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[shell]
    terminal = Terminal(
        [require_program(shell), *flags], columns=150, cwd=folder, env=environment(home)
    )
    shown = "PS1='ready> '"
    lines = [shown, f"source '{script(folder, 'doit', shell)}'"]
    lines.append(f"source '{script(folder, 'wasi-nn', shell)}'")
    lines += SHOW[shell]
    if shell == "zsh":
        lines.insert(1, "autoload -U compinit && compinit -u -D")
    for line in lines:
        terminal.process.send(f"{line}\r")
    terminal.process.send("echo all-$((1 + 1))-set\r")
    terminal.until(lambda screen: any(line.startswith("all-2-set") for line in screen))

    asked = count(1)

    def ask(typed: str) -> str:
        # Ctrl-U clears the line; Ctrl-G comes after the TAB, which is answered first.
        terminal.process.send(f"\x15{typed}\t\x07")
        start = f"line {next(asked)} <"

        def shown(screen: list[str]) -> str:
            # Before the prompt is there again, the terminal itself takes Ctrl-U.
            text = "\n".join(screen)
            found = re.search(rf"^{re.escape(start)}(.*)>\s*^ready>", text, re.MULTILINE)
            return found[1] if found else ""

        return shown(terminal.until(lambda screen: bool(shown(screen))))

    try:
        yield ask
    finally:
        terminal.kill()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_completes_commands_tasks_and_files(
    project: Project, tmp_path: Path, shell: str
) -> None:
    with typing(shell, project.root, tmp_path) as ask:
        assert ask("doit stat").rstrip() == "doit status"
        assert ask("doit manif").startswith("doit manifest")
        assert ask("doit ir:ti").rstrip() == "doit ir:tiny"
        assert ask("doit why verify:tiny.r").rstrip() == "doit why verify:tiny.red"
        assert ask("doit plan --js").rstrip() == "doit plan --json"
        assert ask("wasi-nn conf").rstrip() == "wasi-nn conformance"
        assert ask("wasi-nn convert --prec").rstrip() == "wasi-nn convert --precision"
        assert ask("wasi-nn convert --precision f1").rstrip() == "wasi-nn convert --precision f16"
        assert ask("wasi-nn convert tiny.on").rstrip() == "wasi-nn convert tiny.onnx"


def fish(folder: Path, home: Path, *lines: str) -> list[list[str]]:
    """Return what fish offers after each line."""
    asked = [f"complete -C '{line}'; echo ---" for line in lines]
    sources = [f"source '{script(folder, command, 'fish')}'" for command in ("doit", "wasi-nn")]
    done = subprocess.run(
        [require_program("fish"), "--no-config", "-c", "; ".join([*sources, *asked])],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment(home)},
    )
    assert done.stderr == ""
    return [each.split("\n")[:-1] for each in done.stdout.split("---\n")[:-1]]


def test_fish_shows_what_each_means(project: Project, tmp_path: Path) -> None:
    stat, task, why, flag, command, choice, file = fish(
        project.root,
        tmp_path,
        "doit statu",
        "doit ir:",
        "doit why verify:tiny.b",
        "doit run --shar",
        "wasi-nn conf",
        "wasi-nn convert --precision f1",
        "wasi-nn convert tiny.on",
    )
    assert stat == ["status"]
    assert [line.split("\t")[0] for line in task] == ["ir:tiny"]
    assert task[-1] == "ir:tiny\tonnx to OpenVINO IR, f32"
    assert [line.split("\t")[0] for line in why] == ["verify:tiny.blue"]
    assert flag[0].startswith("--shard\ti/n: run the part i of n")
    assert command == ["conformance\trun the conformance suite on this or another wasi-nn host"]
    assert [line.split("\t")[0] for line in choice] == ["f16"]
    assert file == ["tiny.onnx"]


def test_a_broken_config_is_silent_and_leaves_commands(project: Project, tmp_path: Path) -> None:
    project.edit('precision = "f32"', 'precision = "f33"')
    tasks, commands = fish(project.root, tmp_path, "doit ir:", "doit stat")
    assert tasks == []
    assert commands == ["status"]


def test_where_there_is_no_project_there_are_commands_alone(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    [found] = fish(tmp_path / "here", tmp_path, "doit stat")
    assert found == ["status"]


def test_another_dodo_is_completed_too(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "def task_bake():\n    'bake a cake'\n    return {'actions': []}\n"
    )
    [found] = fish(tmp_path, tmp_path, "doit -f other.py bak")
    assert found == ["bake\tbake a cake"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts_can_be_read_by_their_shells(tmp_path: Path, shell: str) -> None:
    for command in ("doit", "wasi-nn"):
        path = script(tmp_path, command, shell)
        subprocess.run([require_program(shell), "-n", str(path)], check=True)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["completion", "cmd"])
    assert "invalid choice: 'cmd'" in capsys.readouterr().err
    done = subprocess.run(
        [str(BIN / "doit"), "completion", "cmd"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error[usage]: Invalid argument: SHELL.")


def test_completing_reads_configs_and_writes_nothing(project: Project, tmp_path: Path) -> None:
    def files() -> dict[Path, int]:
        artifacts = project.root / "artifacts"
        return {path: path.stat().st_mtime_ns for path in artifacts.rglob("*") if path.is_file()}

    before = files()
    fish(project.root, tmp_path, "doit ir:")
    assert files() == before


def test_a_reader_that_left_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "doit", "completion", "bash"]
    ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert ended.stderr == b""
