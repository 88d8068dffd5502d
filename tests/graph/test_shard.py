"""Machines that each run one shard run every fixture once, whatever the order they are told."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Code, PipelineError
from pipeline.graph.shard import Shard, chosen
from tests.tiny import Project

NAMES = st.lists(st.text("abcdefgh-", min_size=1, max_size=6), unique=True, max_size=12)


@st.composite
def projects(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Return the owner of every task of a project, and the tasks of its plain run."""
    shared, default = ["guest:classify", "toolchain:mo"], []
    owners = {task: task for task in shared}
    for name in draw(NAMES):
        cases = draw(st.integers(1, 5))
        verified = (f"verify:{name}.{case}" for case in range(cases))
        owners |= dict.fromkeys([f"ir:{name}", *verified, f"manifest:{name}"], name)
        if draw(st.booleans()):
            default.append(f"manifest:{name}")
    return owners, default


@given(project=projects(), count=st.integers(1, 9), data=st.data())
def test_every_fixture_is_in_exactly_one_shard(
    project: tuple[dict[str, str], list[str]], count: int, data: st.DataObject
) -> None:
    owners, default = project
    asked = data.draw(st.lists(st.sampled_from(sorted(owners)), unique=True))
    shards = [chosen(Shard(i, count), asked, owners, default) for i in range(1, count + 1)]
    assert sorted(task for shard in shards for task in shard) == sorted(asked)
    found = [{owners[task] for task in shard} for shard in shards]
    assert sum(map(len, found)) == len({owners[task] for task in asked})


@given(project=projects(), count=st.integers(1, 9), data=st.data())
def test_neither_order_nor_company_moves_a_task_to_another_shard(
    project: tuple[dict[str, str], list[str]], count: int, data: st.DataObject
) -> None:
    owners, default = project
    task = data.draw(st.sampled_from(sorted(owners)))
    index = next(i for i in range(1, count + 1) if chosen(Shard(i, count), [task], owners, default))
    others = data.draw(st.lists(st.sampled_from(sorted(owners)), unique=True))
    again = chosen(
        Shard(index, count),
        data.draw(st.permutations([*others, task])),
        {task: owners[task] for task in data.draw(st.permutations(sorted(owners)))},
        data.draw(st.permutations(default)),
    )
    assert task in again


@given(project=projects(), count=st.integers(1, 9))
def test_the_shards_of_a_plain_run_differ_by_one_fixture_at_most(
    project: tuple[dict[str, str], list[str]], count: int
) -> None:
    owners, default = project
    names = {owners[task] for task in default}
    steps = {name: sum(owner == name for owner in owners.values()) for name in names}
    loads = []
    for index in range(1, count + 1):
        mine = {owners[task] for task in chosen(Shard(index, count), default, owners, default)}
        loads.append(sum(steps[name] for name in mine))
    assert max(loads) - min(loads) <= max(steps.values(), default=0)


@pytest.mark.parametrize("text", ["4/3", "0/2", "x", "", "1/0", "-1/2", "1/2/3", "1 /2", "١/٢"])
def test_what_is_no_shard_is_one_error(text: str) -> None:
    with pytest.raises(PipelineError) as caught:
        Shard.parse(text)
    assert caught.value.code is Code.USAGE


@pytest.mark.parametrize("text", ["4/3", "0/2", "x"])
@pytest.mark.parametrize("command", [(), ("run",)])
def test_doit_refuses_it_with_exit_code_1(
    project: Project, command: tuple[str, ...], text: str
) -> None:
    run = project.doit(*command, "--shard", text)
    assert run.returncode == 1
    assert run.output.startswith("error[usage]: There is no such shard.")
    assert f"'{text}'" in run.output
    assert "Traceback" not in run.output


def test_the_shards_of_a_project_make_all_of_it_and_each_its_part(project: Project) -> None:
    for name in ("small", "wee"):
        shutil.copy(project.config, project.config.with_name(f"{name}.toml"))
    shutil.rmtree(project.root / "artifacts")
    made: dict[str, int] = {}
    for index in (1, 2):
        run = project.doit("--shard", f"{index}/2")
        assert run.returncode == 0, run.output
        for step in run.steps("built"):
            if step.startswith("manifest:"):
                assert step not in made
                made[step] = index
    assert set(made) == {"manifest:small", "manifest:tiny", "manifest:wee"}
    assert set(made.values()) == {1, 2}
    assert "nothing to do" in project.doit().output
    # What is named, by task, group or target, falls to the same machine.
    for index in (1, 2):
        run = project.doit("run", "--shard", f"{index}/2", "-a", "tensor", "ir:wee")
        fixtures = {step.partition(":")[2].partition(".")[0] for step in run.steps("built")}
        assert fixtures - {"classify"} == {
            task.partition(":")[2] for task, shard in made.items() if shard == index
        }, run.output


def test_a_shard_that_gets_no_fixture_has_nothing_to_do(project: Project) -> None:
    outputs = [project.doit("--shard", f"{index}/2").output for index in (1, 2)]
    assert any("nothing to do: 11 steps are up to date" in output for output in outputs), outputs
    assert any("has none of the fixtures" in output for output in outputs)
