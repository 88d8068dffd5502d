"""Content decides what is built, restored or left alone."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.cache.cache import Cache
from pipeline.cache.digest import key_of
from pipeline.cache.history import History
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action, Isolation
from pipeline.execution.builder import Builder, BuildOutcome
from pipeline.execution.pool.worker_pool import WorkerPool
from pipeline.execution.progress import Progress
from tests.execution import recipes


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Builder]:
    store = Cache(tmp_path / "cache")
    with WorkerPool(1) as workers:
        yield Builder(store, workers)
    store.close()


@pytest.fixture
def action(tmp_path: Path) -> Action:
    (tmp_path / "in.txt").write_text("abc")
    return Action(
        kind="shout",
        label="x",
        title="",
        recipe=recipes.shout,
        inputs={"text": tmp_path / "in.txt"},
        outputs={"out": tmp_path / "made" / "out.txt"},
    )


def said(text: str, amount: Progress | None = None, /) -> None:
    pass


def target(action: Action) -> Path:
    return action.outputs["out"]


def test_a_built_action_is_current(builder: Builder, action: Action) -> None:
    assert not builder.is_current(action)
    assert builder.build(action, said).outcome is BuildOutcome.BUILT
    assert target(action).read_text() == "ABC"
    assert builder.is_current(action)


def test_touching_an_input_changes_nothing(builder: Builder, action: Action) -> None:
    builder.build(action, said)
    os.utime(action.inputs["text"])
    assert builder.is_current(action)


@pytest.mark.parametrize(
    "changed",
    [{"recipe": recipes.nap}, {"parameters": {"tail": "!"}}, {"tools": ("numpy",)}],
    ids=["recipe", "parameter", "tool"],
)
def test_what_the_key_holds_decides(
    builder: Builder, action: Action, changed: dict[str, object]
) -> None:
    builder.build(action, said)
    other: Action = replace(action, **changed)  # type: ignore[arg-type] # of any field
    assert not builder.is_current(other)


RECIPE = """\
from pathlib import Path

def make(job):
    job.outputs["out"].write_text("one")
    edited = Path(str(job.unkeyed.get("edits", "")))
    if edited.is_file():
        edited.write_text(edited.read_text().replace("one", "two"))
"""


@pytest.fixture
def own(action: Action, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Action, Path]:
    """Return an action whose recipe is in a module of its own, and that module's file."""
    file = tmp_path / "a_recipe_of_its_own.py"
    file.write_text(RECIPE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, file.stem, raising=False)
    recipe = importlib.import_module(file.stem).make
    return replace(action, recipe=recipe), file


def test_changed_code_builds_anew_and_its_return_does_not(
    builder: Builder, own: tuple[Action, Path]
) -> None:
    action, file = own
    builder.build(action, said)
    for text, current, outcome in (
        (f"{RECIPE}# a remark", True, BuildOutcome.CURRENT),
        (RECIPE.replace("one", "two"), False, BuildOutcome.BUILT),
        # The function that was loaded writes the same as before.
        (RECIPE, True, BuildOutcome.CURRENT),
    ):
        file.write_text(text)
        # As the next run finds it.
        later = Builder(builder.cache, builder._executors[Isolation.WORKER])
        assert later.is_current(action) == current
        assert later.build(action, said).outcome is outcome


def test_what_code_made_that_changed_meanwhile_is_dropped(
    builder: Builder, own: tuple[Action, Path]
) -> None:
    action, file = own
    with pytest.raises(PipelineError, match="The code of shout:x changed while doit was running"):
        builder.build(replace(action, unkeyed={"edits": str(file)}), said)
    assert not target(action).exists()
    assert not Builder(builder.cache, builder._executors[Isolation.WORKER]).is_current(action)


def test_means_are_not_part_of_the_key(builder: Builder, action: Action) -> None:
    assert builder.key(action) == builder.key(replace(action, unkeyed={"urls": ("elsewhere",)}))


def test_a_changed_input_builds_anew_and_its_return_is_restored(
    builder: Builder, action: Action
) -> None:
    builder.build(action, said)
    action.inputs["text"].write_text("xyz")
    assert builder.build(action, said).outcome is BuildOutcome.BUILT
    action.inputs["text"].write_text("abc")
    assert builder.build(action, said).outcome is BuildOutcome.RESTORED
    assert target(action).read_text() == "ABC"


@pytest.mark.parametrize("damage", ["edited", "truncated", "deleted", "same mtime"])
def test_a_damaged_target_is_noticed_and_restored(
    builder: Builder, action: Action, damage: str
) -> None:
    builder.build(action, said)
    file = target(action)
    status = file.stat()
    if damage == "deleted":
        file.unlink()
    else:
        file.write_text({"edited": "ABCD", "truncated": "", "same mtime": "ABD"}[damage])
    if damage == "same mtime":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not builder.is_current(action)
    assert builder.build(action, said).outcome is BuildOutcome.RESTORED
    assert file.read_text() == "ABC"


def test_a_corrupt_object_is_built_anew(builder: Builder, action: Action, tmp_path: Path) -> None:
    builder.build(action, said)
    target(action).unlink()
    for path in (tmp_path / "cache" / "cas").rglob("*"):
        if path.is_file():
            path.write_text("lie")
    assert builder.build(action, said).outcome is BuildOutcome.BUILT
    assert target(action).read_text() == "ABC"


def test_a_current_action_that_is_asked_for_runs(builder: Builder, action: Action) -> None:
    builder.build(action, said)
    assert builder.build(action, said).outcome is BuildOutcome.CURRENT
    assert builder.build(action, said, force=True).outcome is BuildOutcome.BUILT


def test_a_forgotten_action_runs(builder: Builder, action: Action) -> None:
    builder.build(action, said)
    builder.forget(action)
    assert not builder.is_current(action)
    assert builder.build(action, said).outcome is BuildOutcome.BUILT


def test_a_failed_recipe_leaves_the_old_target_and_nothing_else(
    builder: Builder, action: Action, tmp_path: Path
) -> None:
    builder.build(action, said)
    with pytest.raises(PipelineError, match="It cannot be"):
        builder.build(replace(action, recipe=recipes.refuse), said)
    assert target(action).read_text() == "ABC"
    assert [path.name for path in target(action).parent.iterdir()] == ["out.txt"]
    assert list((tmp_path / "cache" / "tmp").glob("*/*")) == []
    builder.close()
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_a_recipe_that_writes_nothing_is_an_error(builder: Builder, action: Action) -> None:
    with pytest.raises(PipelineError, match="without writing its output out"):
        builder.build(replace(action, recipe=recipes.write_nothing), said)
    assert not target(action).exists()


def test_a_missing_input_is_one_error(builder: Builder, action: Action) -> None:
    action.inputs["text"].unlink()
    assert not builder.is_current(action)
    with pytest.raises(PipelineError) as caught:
        builder.build(action, said)
    assert caught.value.code is Code.STORAGE
    assert str(action.inputs["text"]) in caught.value.render()


def test_a_tool_that_is_not_installed_is_one_error(builder: Builder, action: Action) -> None:
    with pytest.raises(PipelineError, match="is not installed"):
        builder.build(replace(action, tools=("no-such-package-anywhere",)), said)


def test_a_folder_is_an_output_as_a_whole(builder: Builder, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "folder"
    action = Action(
        kind="folder",
        label="x",
        title="",
        recipe=recipes.write_folder,
        parameters={"b": "b"},
        outputs={"folder/": folder},
    )
    builder.build(action, said)
    assert builder.is_current(action)
    (folder / "deep" / "a.txt").unlink()
    assert not builder.is_current(action)
    assert builder.build(action, said).outcome is BuildOutcome.RESTORED
    assert (folder / "deep" / "a.txt").read_text() == "a"
    (folder / "old.txt").write_text("left over")
    builder.build(replace(action, parameters={"b": "c"}), said)
    assert sorted(path.name for path in folder.iterdir()) == ["b.txt", "deep"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_in_place_of_a_folder_makes_way(builder: Builder, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "folder"
    action = Action(
        kind="folder",
        label="x",
        title="",
        recipe=recipes.write_folder,
        parameters={"b": "b"},
        outputs={"folder/": folder},
    )
    folder.parent.mkdir()
    os.mkfifo(folder)
    builder.build(action, said)
    assert (folder / "b.txt").read_text() == "b"


def test_what_vouches_goes_before_what_it_vouches_for(
    builder: Builder, action: Action, tmp_path: Path
) -> None:
    voucher = tmp_path / "manifest.json"
    vouched = replace(action, invalidates=(voucher,))
    voucher.write_text("verified")
    builder.build(vouched, said)
    assert not voucher.exists()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that builders compute, in order."""
    keys: list[str] = []

    def counted(parts: Mapping[str, Any]) -> str:
        keys.append(key_of(parts))
        return keys[-1]

    monkeypatch.setattr("pipeline.execution.builder.key_of", counted)
    return keys


def test_a_build_computes_the_key_before_and_after_and_returns_it(
    builder: Builder, action: Action, computed: list[str], tmp_path: Path
) -> None:
    history = History(tmp_path / "history", builder.cache.temporary.atomic_write)
    logged = Builder(builder.cache, builder._executors[Isolation.WORKER], history)
    inspection = logged.inspect(action)
    assert not inspection.current
    started: list[tuple[str, ...]] = []
    result = logged.build(action, said, inspection=inspection, started=started.append)
    assert computed == [result.key] * 2
    assert result.outcome is BuildOutcome.BUILT
    assert result.record == builder.cache.records.get(result.key)
    assert started == [result.reasons] == [("never built in this project",)]
    made = history.last_build(action.name)
    assert made is not None
    assert made.key == result.key


def test_a_restored_step_computes_the_key_once(
    builder: Builder, action: Action, computed: list[str]
) -> None:
    builder.build(action, said)
    target(action).unlink()
    computed.clear()
    result = builder.build(action, said, inspection=builder.inspect(action))
    assert result.outcome is BuildOutcome.RESTORED
    assert computed == [result.key]


def test_the_reasons_come_before_the_recipe_and_for_unreadable_inputs_too(
    builder: Builder, action: Action
) -> None:
    seen: list[tuple[bool, tuple[str, ...]]] = []

    def started(reasons: tuple[str, ...]) -> None:
        seen.append((target(action).exists(), reasons))

    builder.build(action, said, started=started)
    action.inputs["text"].unlink()
    with pytest.raises(PipelineError):
        builder.build(action, said, started=started)
    assert seen == [(False, ()), (True, ("An input of shout:x cannot be read.",))]
