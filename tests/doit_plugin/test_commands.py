"""`doit why`, `doit plan` and `doit status` tell what is; they run and write nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.doit_plugin.test_rebuilds import ALL
from tests.tiny import Project, write_picture

BEFORE, AFTER = "mean = [10, 20, 30]", "mean = [10, 20, 37]"


def states(project: Project) -> dict[str, Any]:
    run = project.doit("status", "--json")
    assert run.returncode == 0, run.output
    return {step["name"]: step for step in json.loads(run.output)["steps"]}


def intents(project: Project, *names: str) -> dict[str, str]:
    run = project.doit("plan", "--json", *names)
    assert run.returncode == 0, run.output
    return {step["name"]: step["intent"] for step in json.loads(run.output)["steps"]}


def files(project: Project) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns
        for path in (project.root / "artifacts").rglob("*")
        if path.is_file() and ".sqlite" not in path.name
    }


def test_why_says_that_nothing_changed(project: Project) -> None:
    assert project.doit("why", "ir:tiny").output == "ir:tiny is up to date\n"


def test_why_names_the_parameter_with_its_old_and_new_value(project: Project) -> None:
    project.edit(BEFORE, AFTER)
    assert project.doit("why", "ir:tiny").output == (
        "ir:tiny would run\n"
        "  parameter model.inputs.x.mean: [10.0, 20.0, 30.0] → [10.0, 20.0, 37.0]\n"
    )


def test_why_names_the_input_that_changed(project: Project) -> None:
    write_picture(project.root / "red.png", (240, 10, 10))
    said = project.doit("why", "source:tiny.red", "tensor:tiny.red").output
    assert "source:tiny.red would run\n  input file: sha256 " in said
    assert "tensor:tiny.red depends on a step that would run" in said
    assert "depends on source:tiny.red, which would run" in said


def test_why_names_the_target_that_changed(project: Project) -> None:
    (project.folder / "tiny.bin").write_bytes(b"edited")
    (project.folder / "tiny.xml").unlink()
    said = project.doit("why", "ir:tiny").output
    assert said.startswith("ir:tiny would be restored from the cache\n")
    assert "target tiny.xml is missing" in said
    assert "target tiny.bin was changed: sha256" in said


def test_why_of_a_forgotten_step(project: Project) -> None:
    project.doit("forget", "ir:tiny")
    assert project.doit("why", "ir:tiny").output == "ir:tiny would run\n  no cache record\n"


def test_why_of_a_step_that_never_ran(project: Project) -> None:
    project.config.with_name("other.toml").write_text(project.config.read_text())
    assert "  never built in this project\n" in project.doit("why", "source:other.red").output


def test_an_unknown_step_is_one_clear_error(project: Project) -> None:
    run = project.doit("why", "ir:tinny")
    assert run.returncode == 1
    assert run.output.startswith(
        "error[usage]: There is no step 'ir:tinny'.\n  hint:     Did you mean ir:tiny"
    )
    assert project.doit("why").returncode == 1


def test_a_broken_config_is_told_by_the_commands_too(project: Project) -> None:
    project.edit('precision = "f32"', 'precision = "f33"')
    for command in (["why", "ir:tiny"], ["plan"], ["status"]):
        run = project.doit(*command)
        assert run.returncode == 1
        assert "configs/fixtures/tiny.toml:" in run.output


def test_plan_foresees_what_a_run_then_does(project: Project) -> None:
    project.edit(BEFORE, AFTER)
    (project.folder / "red-1x3x8x8-f32.rgb").unlink()
    before = files(project)
    planned = intents(project)
    assert files(project) == before
    assert {name for name, intent in planned.items() if intent == "run"} == {"ir:tiny"}
    assert {name for name, intent in planned.items() if intent == "restore"} == {"tensor:tiny.red"}
    depends = {name for name, intent in planned.items() if intent == "depends"}
    run = project.doit()
    assert run.steps("restored") == {"tensor:tiny.red"}
    # What the guest needs to know came out as before.
    assert run.steps("built") == {"ir:tiny"} | depends - {"fixture:tiny"}


def test_plan_sees_through_what_would_be_restored(project: Project) -> None:
    project.edit(BEFORE, AFTER)
    assert project.doit().returncode == 0
    project.edit(AFTER, BEFORE)
    planned = intents(project)
    assert set(planned.values()) == {"restore", "current"}
    assert planned["verify:tiny.red"] == "restore"
    run = project.doit()
    assert run.steps("built") == set()
    assert run.steps("restored") == {name for name in planned if planned[name] == "restore"}


def test_plan_gives_the_time_of_the_last_time(project: Project) -> None:
    assert project.doit("plan").output == f"nothing to do: {len(ALL)} steps are up to date\n"
    project.edit(BEFORE, AFTER)
    said = project.doit("plan").output
    assert "1 to run, 4 that depend on them, 0 to restore, 6 up to date; at most " in said
    project.config.with_name("other.toml").write_text(project.config.read_text())
    assert "of unknown duration" in project.doit("plan", "manifest:other").output


def test_plan_of_some_steps_has_what_they_need(project: Project) -> None:
    assert set(intents(project, "tensor:tiny.red")) == {"tensor:tiny.red", "source:tiny.red"}
    assert set(intents(project, "source")) == {step for step in ALL if step.startswith("source:")}
    assert set(intents(project, "verify:*.red")) >= {"verify:tiny.red", "ir:tiny"}


def test_status_tells_current_stale_missing_and_failed(project: Project) -> None:
    assert {step["state"] for step in states(project).values()} == {"current"}
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    (project.folder / "tiny.bin").write_bytes(b"edited")
    (project.folder / "blue-1x3x8x8-f32.rgb").unlink()
    assert project.doit("verify:tiny.red").returncode == 1
    (project.folder / "tiny.bin").write_bytes(b"edited")
    found = states(project)
    assert found["verify:tiny.red"]["state"] == "failed"
    assert found["verify:tiny.red"]["error"].startswith("verify: The largest output")
    assert found["ir:tiny"]["state"] == "stale"
    assert found["tensor:tiny.blue"]["state"] == "missing"
    assert found["tensor:tiny.red"]["state"] == "current"
    assert found["tensor:tiny.red"]["bytes"] == 3 * 8 * 8 * 4
    assert found["guest:classify"]["made"].endswith("Z")


def test_what_was_mended_is_no_longer_failed(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    assert project.doit().returncode == 1
    project.edit("[expect.red]\ntop1 = 1", "[expect.red]\ntop1 = 0")
    assert project.doit().returncode == 0
    assert {step["state"] for step in states(project).values()} == {"current"}


def test_what_failed_says_so_in_every_command(project: Project) -> None:
    config = project.config.with_name("other.toml")
    config.write_text(project.config.read_text().replace("top1 = 2", "top1 = 1"))
    assert project.doit("manifest:other").returncode == 1
    said = "failed last time: The largest output is of another class than the config expects."
    assert project.doit("why", "verify:other.blue").output == (
        f"verify:other.blue would run\n  {said}\n"
    )
    plan = project.doit("plan", "verify:other.blue").output
    assert plan.splitlines()[0].split(maxsplit=2)[2].strip() == said
    status = project.doit("status", "verify:other.blue").output
    (line,) = (line for line in status.splitlines() if "verify:other.blue" in line)
    assert line.startswith("failed ")
    assert line.endswith(said)
    # Without having been tried, it is as it was.
    assert project.doit("why", "manifest:other").output.endswith("which would run\n")


def test_what_failed_is_told_with_what_changed_since_it_was_made(project: Project) -> None:
    project.edit("[expect.red]\ntop1 = 0", "[expect.red]\ntop1 = 1")
    assert project.doit().returncode == 1
    assert project.doit("why", "verify:tiny.red").output == (
        "verify:tiny.red would run\n"
        "  failed last time: The largest output is of another class than the config expects.\n"
        "  parameter expect.top1: 0 → 1\n"
    )
    project.edit("[expect.red]\ntop1 = 1", "[expect.red]\ntop1 = 0")
    assert project.doit("why", "verify:tiny.red").output == "verify:tiny.red is up to date\n"


def test_a_source_that_is_missing_is_told_once(project: Project) -> None:
    (project.root / "red.png").unlink()
    before = project.doit("why", "source:tiny.red").output
    assert project.doit("source:tiny.red").returncode == 1
    after = project.doit("why", "source:tiny.red").output
    assert before.splitlines()[1] == "  An input of source:tiny.red cannot be read."
    assert after.splitlines()[1:] == [
        "  failed last time: An input of source:tiny.red cannot be read."
    ]
