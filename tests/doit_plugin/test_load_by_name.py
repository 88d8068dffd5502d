"""A fixture's guest can load its model by name: then the weights never pass its memory."""

from __future__ import annotations

from tests.tiny import Project


def test_a_guest_that_loads_by_name_is_verified_as_any_other(project: Project) -> None:
    project.edit('program = "classify"', 'program = "classify"\nload = "name"')
    run = project.doit()
    assert run.returncode == 0, run.output
    assert run.steps("built") == {"verify:tiny.red", "verify:tiny.blue", "manifest:tiny"}


def test_a_guest_that_reads_the_files_itself_does_not_find_them(project: Project) -> None:
    project.edit('program = "classify"', 'program = "classify"\nload = "name"')
    main = project.root / "guests/classify/classify.c"
    project.edit('!strcmp(argv[1], "--graph")', '!strcmp(argv[1], "--other")', main)
    project.edit("argv[next][0] == '-'", "argv[next][0] == '?'", main)
    run = project.doit()
    assert run.returncode != 0
    assert "there is no case '--graph'" in run.output
