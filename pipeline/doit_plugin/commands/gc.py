"""`doit gc`: make room in the cache folder."""

from __future__ import annotations

from doit.cmd_base import DoitCmdBase

from pipeline.config.load_project import load_project
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import Code, PipelineError
from pipeline.execution.byte_count import byte_count
from pipeline.graph.layout import Layout
from pipeline.toolchain.unused_environments import Unneeded, collect_environments

_OPTIONS = (
    {
        "name": "limit",
        "short": "",
        "long": "limit",
        "type": str,
        "default": "",
        "help": "the size to come down to, such as '2 GiB'; else cache_limit of project.toml",
    },
    {
        "name": "dry",
        "short": "",
        "long": "dry-run",
        "type": bool,
        "default": False,
        "help": "only tell what would be removed",
    },
    {
        "name": "toolchains",
        "short": "",
        "long": "toolchains",
        "type": bool,
        "default": False,
        "help": "remove the environments of toolchains too that no config needs",
    },
)


@with_command_errors
class Gc(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "shrink the cache to a size, removing the least recently used entries"
    doc_usage = ""
    doc_description = (
        "What the steps of this project, or of others that share the cache, refer to is kept, and "
        "what was used in the last ten minutes or since the oldest run began that is still going. "
        "Safe beside running builds, and to break off."
    )
    cmd_options = _OPTIONS

    def _execute(self, limit: str, dry: bool, toolchains: bool, pos_args: list[str]) -> int:
        return run_command(lambda engine: _collect(engine, limit, dry, toolchains, pos_args))


def _collect(engine: Engine, limit: str, dry: bool, toolchains: bool, names: list[str]) -> int:
    if names:
        raise PipelineError(Code.USAGE, "The cache is collected as a whole.", found=" ".join(names))
    try:
        most = byte_count(limit) if limit else None
    except ValueError as error:
        raise PipelineError(Code.USAGE, f"The limit cannot be read: {error}.") from None
    collected = engine.collect(most, dry=dry)
    done = "would remove" if dry else "removed"
    remain = f"{_mib(collected.remaining)} remain"
    print(f"{done} {collected.files} files, {_mib(collected.bytes)}; {remain}")
    if toolchains:
        for each in _toolchains(engine, dry):
            print(f"{done} toolchain {each.name}, {_mib(each.bytes)}")
    return 0


def _toolchains(engine: Engine, dry: bool) -> list[Unneeded]:
    steps = [step for step in engine.selected(["*"]) if step.name.startswith("toolchain:")]
    layout = Layout(load_project(engine.report_place.parents[1]))
    needed = {layout.environment(step.name.partition(":")[2]).folder.name for step in steps}
    try:
        return list(collect_environments(layout.toolchains, needed, layout.locks, dry=dry))
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The toolchains cannot be removed.",
            where=str(error.filename or layout.toolchains),
            found=error.strerror or str(error),
        ) from None


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
