"""`doit clean`: remove what was built, and the files of fixtures that no config declares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doit.cmd_clean import Clean as DoitClean

from pipeline.doit_plugin.cleaning import Removed, clean, clean_undeclared
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import connect_state, run_command, step_tasks
from pipeline.doit_plugin.project import ProjectContext

_STALE = {
    "name": "stale",
    "short": "",
    "long": "stale",
    "type": bool,
    "default": False,
    "help": "instead remove what steps have written for fixtures whose config was deleted",
}


@with_command_errors
class Clean(DoitClean):  # type: ignore[misc] # doit has no types
    """doit's own choice of tasks; it prints one line for each fixture."""

    doc_purpose = "remove what was built"
    doc_description = (
        "Without a task: all of a plain run. The cache is kept, so a later run can restore the "
        "files. Only the targets of the tasks and the folders that are then empty are removed; no "
        "link is followed. With --stale the arguments are fixtures (default: all that `doit "
        "status` lists as 'left'); files that a user has put into their folders are kept."
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

            def command(project: ProjectContext) -> int:
                removed = clean_undeclared(project.graph, project.history, names, dry=dryrun)
                return _show(removed, dryrun)

            return run_command(self, command)
        connect_state(self)
        self._whole = cleanall or not pos_args
        self._code = 0
        super()._execute(dryrun, cleandep, cleanall, cleanforget, pos_args)
        return self._code

    def clean_tasks(self, tasks: Sequence[Any], dryrun: bool, cleanforget: bool) -> None:
        """Clean tasks, those of this package together."""
        if step_tasks(self) is None:
            super().clean_tasks(tasks, dryrun, cleanforget)
            return
        steps = list(dict.fromkeys(task.name for task in tasks if not task.has_subtask))

        def command(project: ProjectContext) -> int:
            if cleanforget and not dryrun:
                # Before: the keys of their records are hashes of what is cleaned.
                for step in steps:
                    self.dep_manager.remove(step)
            code = _show(clean(project.graph, steps, dry=dryrun), dryrun)
            if self._whole and not dryrun:
                project.report.unlink(missing_ok=True)
            return code

        self._code = run_command(self, command)
        self.dep_manager.close()


def _show(removed: Sequence[Removed], dry: bool) -> int:
    for each in removed:
        if each.files:
            count = f"{each.files} {'file' if each.files == 1 else 'files'}"
            size = f"{each.bytes / 2**20:.2f} MiB"
            print(f"{each.name}: {'would remove' if dry else 'removed'} {count}, {size}")
        if each.kept:
            print(f"{each.name}: kept, {each.kept}")
    if not removed:
        print("nothing to clean")
    return 0
