"""`doit gc`: shrink the cache folder."""

from __future__ import annotations

import sys
from functools import partial

from doit.cmd_base import DoitCmdBase

from pipeline.cache.garbage_collection import CollectionResult, collect_garbage
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError
from pipeline.execution.byte_count import byte_count
from pipeline.toolchain.toolchain_lock import lock_folders
from pipeline.toolchain.unused_environments import Unneeded, collect_environments

_OPTIONS = (
    {
        "name": "limit",
        "short": "",
        "long": "limit",
        "type": str,
        "default": "",
        "help": "the size to shrink to, such as '2 GiB' (default: cache_limit in project.toml)",
    },
    {
        "name": "dry",
        "short": "",
        "long": "dry-run",
        "type": bool,
        "default": False,
        "help": "only print what would be removed",
    },
    {
        "name": "toolchains",
        "short": "",
        "long": "toolchains",
        "type": bool,
        "default": False,
        "help": "also remove the environments of toolchains that no config needs",
    },
)


@with_command_errors
class Gc(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "shrink the cache to a size, removing the least recently used entries"
    doc_usage = ""
    doc_description = (
        "Kept are all entries that the steps of this project, or of others that share the cache, "
        "refer to, and those used in the last ten minutes or since the start of the oldest build "
        "that is still running. It is safe to run beside builds, and to interrupt."
    )
    cmd_options = _OPTIONS

    def _execute(self, limit: str, dry: bool, toolchains: bool, pos_args: list[str]) -> int:
        return run_command(
            self, lambda project: _collect(project, limit, dry, toolchains, pos_args)
        )


def _collect(
    project: ProjectContext, limit: str, dry: bool, toolchains: bool, names: list[str]
) -> int:
    if names:
        raise PipelineError(
            Code.USAGE,
            "`doit gc` takes no names: it collects the whole cache.",
            found=" ".join(names),
        )
    try:
        most = byte_count(limit) if limit else None
    except ValueError as error:
        raise PipelineError(Code.USAGE, f"Invalid limit: {error}.") from None
    collected = _collect_cache(project, most, dry)
    done = "would remove" if dry else "removed"
    remain = f"{_mib(collected.remaining)} remain"
    print(f"{done} {collected.files} files, {_mib(collected.bytes)}; {remain}")
    if toolchains:
        for each in _collect_toolchains(project, dry):
            print(f"{done} toolchain {each.name}, {_mib(each.bytes)}")
    return 0


def _collect_cache(project: ProjectContext, limit: int | None, dry: bool) -> CollectionResult:
    """Bring the cache down to ``limit`` bytes, or to the project's own limit."""
    cache, graph = project.builder.cache, project.graph
    # As the configs are now, which need not be how they were when something was last made.
    keys = [each.key for each in project.plan(list(graph.steps.values()))]
    project.note_roots(key for key in keys if key)
    most = byte_count(graph.configs.project.cache_limit) if limit is None else limit
    try:
        return collect_garbage(cache, most, partial(print, file=sys.stderr, flush=True), dry=dry)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The cache cannot be collected.",
            where=str(error.filename or cache.folder),
            found=error.strerror or str(error),
        ) from None


def _collect_toolchains(project: ProjectContext, dry: bool) -> list[Unneeded]:
    layout = project.graph.layout
    steps = project.graph.of_kind("toolchain")
    needed = {layout.environment(step.label).folder.name for step in steps}
    folders = lock_folders(layout.root)
    # In a folder that projects share, others may use the built-in lock files.
    own = folders if layout.toolchains.is_relative_to(layout.root) else folders[:1]
    try:
        return list(collect_environments(layout.toolchains, needed, own, dry=dry))
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The toolchains cannot be removed.",
            where=str(error.filename or layout.toolchains),
            found=error.strerror or str(error),
        ) from None


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
