"""Runs doit, and ends its own process at a named point: ``STEP POINT NTH SIGNAL LOG ARGUMENT…``.

A point is ``before`` or ``after`` one of the functions in ``FUNCTIONS``, when that is called for
the step. The passages of a point are counted; with the signal 0 each is written to the log, with
another the n-th is, and gets the signal.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

FUNCTIONS = {
    "note": "pipeline.publish.release.stale_files:note_published",
    "drop": "pipeline.publish.release.stale_files:drop_stale",
    "withdraw": "pipeline.execution.builder:Builder._invalidate",
    "written": "pipeline.execution.builder:_written",
    "keep": "pipeline.cache.objects:Objects.put",
    "write": "pipeline.cache.objects:copy",
    "sync": "os:fsync",
    "rename": "pathlib:Path.replace",
    "clear": "pipeline.execution.output_folders:make_way",
    "record": "pipeline.cache.action_records:Records.put",
    "fetch": "pipeline.cache.objects:Objects.fetch",
    "place": "pipeline.cache.temporary:Temporary.place",
}


class Reaper:
    """Counts passages and ends the process at the chosen one."""

    def __init__(self, step: str, point: str, nth: int, number: int, log: Path) -> None:
        self._step = step
        self._point = point
        self._nth = nth
        self._number = number
        self._log = log
        self._passages: Counter[str] = Counter()
        self._guard = threading.Lock()
        self._busy = threading.local()

    def pass_by(self, point: str) -> None:
        """Note a passage of the point, which may be the last."""
        if getattr(self._busy, "step", "") != self._step:
            return
        with self._guard:
            self._passages[point] += 1
            last = (point, self._passages[point]) == (self._point, self._nth)
        if self._number == 0 or last:
            with self._log.open("a") as stream:
                stream.write(f"{self._step} {point}\n")
        if last and self._number:
            os.kill(os.getpid(), self._number)

    def watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with a point before and one after it."""

        def passing(*arguments: Any, **named: Any) -> Any:
            self.pass_by(f"before {name}")
            result = function(*arguments, **named)
            self.pass_by(f"after {name}")
            return result

        return passing

    def executing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return doit's action, which tells this thread its step."""

        def execute(engine: Any, name: str) -> Any:
            self._busy.step = name
            return function(engine, name)

        return execute


def replace(place: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Wrap a function wherever the pipeline has it; one that is not there is an error."""
    module_name, _, path = place.partition(":")
    owner: Any = import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    wrapped = wrap(original)
    setattr(owner, name, wrapped)
    if not outer:
        # Others have imported it by name.
        for other in [m for n, m in sys.modules.items() if n.startswith("pipeline.")]:
            for label, value in list(vars(other).items()):
                if value is original:
                    setattr(other, label, wrapped)


def main() -> None:
    """Run doit under watch."""
    from doit.doit_cmd import DoitMain

    import_module("pipeline.doit_plugin.loader")
    step, point, nth, number, log, *arguments = sys.argv[1:]
    reaper = Reaper(step, point, int(nth), int(number), Path(log))
    for name, place in FUNCTIONS.items():
        replace(place, lambda function, name=name: reaper.watched(name, function))  # type: ignore[misc] # bound now
    replace("pipeline.doit_plugin.loader:StepTasks._execute", reaper.executing)
    sys.exit(DoitMain().run(arguments))


if __name__ == "__main__":
    # Nothing of this folder is meant to be imported from the top.
    del sys.path[0]
    main()
