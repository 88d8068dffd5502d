"""`doit gc`: make room in the cache folder."""

from __future__ import annotations

from doit.cmd_base import DoitCmdBase

from pipeline.engine.commands.told import told
from pipeline.engine.commands.understood import understood
from pipeline.engine.engine import Engine
from pipeline.errors import Code, PipelineError
from pipeline.work.limits import byte_count

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
)


@understood
class Gc(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    doc_purpose = "remove from the cache what was used longest ago, down to a size"
    doc_usage = ""
    doc_description = (
        "What the steps of this project, or of others that share the cache, refer to is kept, and "
        "what was used in the last ten minutes or since the oldest run began that is still going. "
        "Safe beside running builds, and to break off."
    )
    cmd_options = _OPTIONS

    def _execute(self, limit: str, dry: bool, pos_args: list[str]) -> int:
        return told(lambda engine: _collect(engine, limit, dry, pos_args))


def _collect(engine: Engine, limit: str, dry: bool, names: list[str]) -> int:
    if names:
        raise PipelineError(Code.USAGE, "The cache is collected as a whole.", found=" ".join(names))
    try:
        most = byte_count(limit) if limit else None
    except ValueError as error:
        raise PipelineError(Code.USAGE, f"The limit cannot be read: {error}.") from None
    collected = engine.collect(most, dry=dry)
    print(
        f"{'would remove' if dry else 'removed'} {collected.files} files, "
        f"{_mib(collected.bytes)}; {_mib(collected.remaining)} remain"
    )
    return 0


def _mib(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"
