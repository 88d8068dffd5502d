"""What doit's commands answer to --help, and to words that they cannot make sense of."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from tests.tiny import Project

COMMANDS = sorted(point.name for point in entry_points(group="doit.COMMAND"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_its_help_where_it_is_asked(project: Project, command: str) -> None:
    run = project.doit(command, "--help")
    assert run.returncode == 0
    assert run.output.startswith("PURPOSE\n")
    assert f" {command}" in run.output.partition("USAGE")[2].partition("OPTIONS")[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_a_command_lacks_is_one_clear_error(project: Project, command: str) -> None:
    run = project.doit(command, "--nope")
    assert run.returncode == 3
    assert run.output == (
        f"error[usage]: Invalid arguments to `doit {command}`.\n"
        "  found:    option --nope not recognized\n"
        f"  hint:     `doit help {command}` lists its options.\n"
    )


def test_a_value_that_an_option_cannot_take_is_one_clear_error(project: Project) -> None:
    run = project.doit("-n", "many")
    assert run.returncode == 3
    assert run.output.startswith("error[usage]: Invalid arguments to `doit run`.\n")
    assert "'many'" in run.output
    assert len(run.output.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["manifest:tiyn"], "manifest:tiny"),
        (["lsit"], "list"),
        (["artifacts/tiny/manifest.jsn"], "artifacts/tiny/manifest.json"),
        (["info", "manifest:tiyn"], "manifest:tiny"),
        (["forget", "manifest:tiyn"], "manifest:tiny"),
        (["clean", "manifest:tiyn"], "manifest:tiny"),
        (["list", "manifset"], "manifest"),
    ],
    ids=" ".join,
)
def test_a_task_that_is_not_there_is_told_with_the_nearest(
    project: Project, words: list[str], near: str
) -> None:
    run = project.doit(*words)
    assert run.returncode == 3
    assert run.output == (
        f"error[usage]: There is no such task, target or command: '{words[-1]}'.\n"
        f"  hint:     Did you mean {near}?\n"
    )


def test_where_nothing_is_near_it_is_told_where_the_names_are(project: Project) -> None:
    run = project.doit("xyzzy")
    assert run.output.endswith("  hint:     `doit list --all` lists all tasks.\n")


@pytest.mark.parametrize("command", ["dumpdb", "ignore"])
def test_what_doit_would_keep_itself_is_refused(project: Project, command: str) -> None:
    run = project.doit(command, *(["manifest:tiny"] if command == "ignore" else []))
    assert run.returncode == 3
    assert run.output.startswith("error[usage]: ")
    assert len(run.output.splitlines()) == 1


def test_what_is_cleaned_as_a_whole_takes_its_page_along(project: Project) -> None:
    page = project.root / "artifacts/report.html"
    assert page.exists()
    assert project.doit("clean", "--dry-run").returncode == 0
    assert project.doit("clean", "manifest:tiny").returncode == 0
    assert page.exists()
    assert project.doit("clean").returncode == 0
    assert not page.exists()
