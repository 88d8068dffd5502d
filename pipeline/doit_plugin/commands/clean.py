"""`doit clean`: remove what was built, and what is left of fixtures that no config declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doit.cmd_clean import Clean as DoitClean

from pipeline.doit_plugin.cleaning import Removed
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.current_project import current_engine
from pipeline.doit_plugin.engine import Engine

_STALE = {
    "name": "stale",
    "short": "",
    "long": "stale",
    "type": bool,
    "default": False,
    "help": "instead remove what steps have made of fixtures whose configs were deleted",
}


@with_command_errors
class Clean(DoitClean):  # type: ignore[misc] # doit has no types
    """doit's own choice of tasks, whose targets go with one line a fixture."""

    doc_purpose = "remove what was built"
    doc_description = (
        "Without a task: all of a plain run. The cache stays, and with it what a later run "
        "restores. Of what was built only the files of the tasks go, and the folders that are "
        "empty then; no link is followed. With --stale the words are fixtures, none for all that "
        "`doit status` lists as 'left': files that a person has put into their folders stay."
    )
    cmd_options = (*DoitClean.cmd_options, _STALE)

    def _execute(
        self,
        dryrun: bool,
        cleandep: bool,
        cleanall: bool,
        cleanforget: bool,
        stale: bool,
        pos_args: list[str] | None = None,
    ) -> int:
        if stale:
            names = pos_args or []
            return run_command(
                lambda engine: _show(engine.clean_undeclared(names, dry=dryrun), dryrun)
            )
        self._whole = cleanall or not pos_args
        self._code = 0
        super()._execute(dryrun, cleandep, cleanall, cleanforget, pos_args)
        return self._code

    def clean_tasks(self, tasks: Sequence[Any], dryrun: bool, cleanforget: bool) -> None:
        """Clean tasks in one go, where they are ours."""
        try:
            current_engine()
        except IndexError:
            super().clean_tasks(tasks, dryrun, cleanforget)
            return
        steps = list(dict.fromkeys(task.name for task in tasks if not task.has_subtask))

        def command(engine: Engine) -> int:
            if cleanforget and not dryrun:
                # Before: the keys of their records are hashes of what is cleaned.
                for step in steps:
                    self.dep_manager.remove(step)
            code = _show(engine.clean(steps, dry=dryrun), dryrun)
            if self._whole and not dryrun:
                engine.report_place.unlink(missing_ok=True)
            return code

        self._code = run_command(command)
        self.dep_manager.close()


def _show(removed: Sequence[Removed], dry: bool) -> int:
    for each in removed:
        if each.files:
            count = f"{each.files} {'file' if each.files == 1 else 'files'}"
            size = f"{each.bytes / 2**20:.2f} MiB"
            print(f"{each.name}: {'would remove' if dry else 'removed'} {count}, {size}")
        if each.kept:
            print(f"{each.name}: left alone, {each.kept}")
    if not removed:
        print("nothing to clean")
    return 0
