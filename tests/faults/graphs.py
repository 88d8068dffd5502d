"""Small graphs of steps that plain doit and the engine run alike, with recipes that misbehave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action, Isolation, Job, Recipe


def shout(job: Job) -> None:
    """Write the inputs in capitals, and note that it ran."""
    _note(job)
    _write(job, _capitals(job))


def stumble(job: Job) -> None:
    """Fail half-way when the input says so."""
    text = _capitals(job)
    if "FAIL" in text:
        _write(job, "HALF")
        raise PipelineError(Code.MODEL, "The input says so.")
    _write(job, text)


def perish(job: Job) -> None:
    """Once, take the signal that a file in the project asks for, half-way."""
    _note(job)
    order = Path(str(job.unkeyed["root"])) / "perish"
    if order.exists():
        number = int(order.read_text())
        order.unlink()
        _write(job, "HALF")
        os.kill(os.getpid(), number)
        # Python tells its main thread, which ends the process.
        time.sleep(30)
    _write(job, _capitals(job))


def wait(job: Job) -> None:
    """Go on once there is a file ``go`` in the project."""
    _note(job)
    while not (Path(str(job.unkeyed["root"])) / "go").exists():
        time.sleep(0.05)
    _write(job, _capitals(job))


def crash(job: Job) -> None:
    """Take the process along."""
    os.kill(os.getpid(), signal.SIGKILL)


def hang(job: Job) -> None:
    """Never end, and tell who hangs."""
    (Path(str(job.unkeyed["root"])) / f"hangs-{os.getpid()}").touch()
    time.sleep(600)


def chain(root: Path) -> tuple[Action, ...]:
    """Return first → second → third."""
    return (
        _step(root, "first", shout, "in.txt"),
        _step(root, "second", shout, "first.txt"),
        _step(root, "third", perish, "second.txt"),
    )


def stumbling(root: Path) -> tuple[Action, ...]:
    """Return one step that fails on demand."""
    return (_step(root, "only", stumble, "in.txt"),)


def perishing(root: Path) -> tuple[Action, ...]:
    """Return one step that perishes on demand."""
    return (_step(root, "only", perish, "in.txt"),)


def waiting(root: Path) -> tuple[Action, ...]:
    """Return two steps that wait."""
    return (_step(root, "one", wait, "in.txt"), _step(root, "two", wait, "other.txt"))


def crashing(root: Path) -> tuple[Action, ...]:
    """Return one step that takes its process along, beside three that do not."""
    good = (_step(root, name, shout, "in.txt", Isolation.WORKER) for name in ("a", "b", "c"))
    return (_step(root, "bad", crash, "in.txt", Isolation.WORKER), *good)


def hanging(root: Path) -> tuple[Action, ...]:
    """Return steps that hang."""
    return tuple(_step(root, name, hang, "in.txt", Isolation.WORKER) for name in ("one", "two"))


def many(root: Path) -> tuple[Action, ...]:
    """Return 20 steps with one input."""
    return tuple(_step(root, f"s{number}", shout, "in.txt") for number in range(20))


GRAPHS: Mapping[str, Callable[[Path], tuple[Action, ...]]] = {
    graph.__name__: graph
    for graph in (chain, stumbling, perishing, waiting, crashing, hanging, many)
}


def plain_tasks(root: Path, graph: str) -> Iterator[dict[str, Any]]:
    """Yield the graph as a doit user would write it."""
    for action in GRAPHS[graph](root):
        yield {
            "name": action.label,
            "actions": [(_run_plainly, [action])],
            "file_dep": [str(path) for path in action.inputs.values()],
            "targets": [str(path) for path in action.outputs.values()],
        }


def _run_plainly(action: Action) -> None:
    for path in action.outputs.values():
        path.parent.mkdir(exist_ok=True)
    action.recipe(
        Job(
            inputs=action.inputs,
            outputs=action.outputs,
            parameters=action.parameters,
            unkeyed=action.unkeyed,
            scratch=Path(),
        )
    )


def _step(
    root: Path, name: str, recipe: Recipe, source: str, place: Isolation = Isolation.THREAD
) -> Action:
    folder = root if source in ("in.txt", "other.txt") else root / "artifacts"
    return Action(
        kind="ir",
        label=name,
        title="",
        recipe=recipe,
        inputs={"in": folder / source},
        outputs={"out": root / "artifacts" / f"{name}.txt"},
        parameters={"name": name},
        unkeyed={"root": root},
        isolation=place,
        seconds=60,
    )


def _note(job: Job) -> None:
    with (Path(str(job.unkeyed["root"])) / "ran").open("a") as stream:
        stream.write(f"{job.parameters['name']}\n")


def _capitals(job: Job) -> str:
    return job.inputs["in"].read_text().upper()


def _write(job: Job, text: str) -> None:
    job.outputs["out"].write_text(text)
