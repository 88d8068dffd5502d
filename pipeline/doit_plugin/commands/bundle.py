"""`doit bundle`: each fixture as an archive, with the same bytes on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.cache.digest import Digest
from pipeline.doit_plugin.commands.built_fixtures import STRICT_OPTION, built, folders
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.errors import Code, PipelineError
from pipeline.publish.release.release import release_of
from pipeline.publish.release.write_bundle import write_bundle

_OUT = {
    "name": "out",
    "short": "",
    "long": "out",
    "type": str,
    "default": "bundles",
    "help": "the folder to write into (default: bundles)",
}


@with_command_errors
class BundleCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "bundle"
    doc_purpose = "write each fixture as a .tar.gz, with the same bytes on any machine"
    doc_usage = "[FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run; '*' means all. They must be built; one "
        "whose last build failed is left out. The results of this machine go into an archive of "
        "their own, NAME.evidence.tar.gz."
    )
    cmd_options = (_OUT, STRICT_OPTION)

    def _execute(self, out: str, strict: bool, pos_args: list[str]) -> int:
        return run_command(
            self,
            lambda project: _bundle(Path(out), folders(built(project, pos_args, strict=strict))),
        )


def _bundle(out: Path, fixtures: Sequence[Path]) -> int:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in fixtures:
            for path in write_bundle(release_of(folder, "0"), folder, out):
                digest = Digest.of_file(path)
                print(f"{path}: {digest.size / 1e6:.1f} MB, sha256 {digest.sha256}")
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The bundle cannot be written.",
            where=str(error.filename or out),
            found=error.strerror or str(error),
        ) from None
    return 0
