"""`doit publish`: publish the built fixtures as a version that others can fetch."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.cache.json_decoding import decode_json
from pipeline.config.schema import UNKNOWN_LICENCE
from pipeline.doit_plugin.commands.built_fixtures import STRICT_OPTION, built, folders
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.kit import take_kit
from pipeline.doit_plugin.commands.options import JSON_OPTION
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import Destination, Published, publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.release.release import check_version, release_of

_TO = {
    "name": "to",
    "short": "",
    "long": "to",
    "type": str,
    "default": "",
    "help": "a folder, oci://HOST/NAMESPACE, oci-layout:FOLDER, hf://OWNER, s3://…, gs://… or az://…",
}
_AS = {
    "name": "version",
    "short": "",
    "long": "as",
    "type": str,
    "default": "",
    "help": "the version, such as 1.0; a published version never changes",
}
_SIGN = {
    "name": "sign",
    "short": "",
    "long": "sign",
    "type": str,
    "default": "",
    "help": "sign with this private key (PEM; its password in WASI_NN_SIGN_PASSWORD)",
}
_DRY = {
    "name": "dry_run",
    "short": "",
    "long": "dry-run",
    "type": bool,
    "default": False,
    "help": "print what would be published; change nothing",
}


@with_command_errors
class PublishCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "publish"
    doc_purpose = "publish fixtures as an immutable version: to a folder, a registry or a bucket"
    doc_usage = "--to TARGET --as VERSION [FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run; '*' means all. They must be built; one whose "
        "last build failed is left out. A version appears completely or not at all; publishing the "
        "same content again uploads nothing, and other content under an existing version is an "
        "error. An interrupted upload resumes. Credentials are those of the environment or of the "
        "usual files of docker and the buckets' libraries."
    )
    cmd_options = (_TO, _AS, _SIGN, _DRY, STRICT_OPTION, JSON_OPTION)

    def _execute(
        self,
        to: str,
        version: str,
        sign: str,
        dry_run: bool,
        strict: bool,
        as_json: bool,
        pos_args: list[str],
    ) -> int:
        def command(project: ProjectContext) -> int:
            place = _destination(to, version)
            names, kit = take_kit(project.root, pos_args)
            only_kit = bool(pos_args) and not names
            fixtures = [] if only_kit else folders(built(project, names, strict=strict))
            key = Path(sign) if sign else None
            return _publish(place, [*fixtures, *kit], version, key, dry_run, as_json)

        return run_command(self, command)


def _destination(to: str, version: str) -> Destination:
    for option, value, example in (("--to", to, "published"), ("--as", version, "1.0")):
        if not value:
            raise PipelineError(
                Code.USAGE, f"{option} is missing.", hint=f"For example: {option} {example}"
            )
    check_version(version)
    return open_destination(to)


def _publish(
    place: Destination,
    fixtures: Sequence[Path],
    version: str,
    key: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    for folder in fixtures:
        _warn_of_licences(folder)
    releases = [(release_of(folder, version), folder) for folder in fixtures]
    results = publish_all(place, releases, dry_run=dry_run, progress=_print_progress, key=key)
    if as_json:
        print(json.dumps([_plain(each, dry_run) for each in results], indent=2))
        return 0
    for each in results:
        print(
            f"{each.release.name} {version}: {_result_line(each, dry_run)}, {each.release.digest}"
        )
    print(f"{'would be' if dry_run else 'is'} in {place.describe()}")
    return 0


def _warn_of_licences(folder: Path) -> None:
    """Warn of sources without a known licence: nobody may use what depends on them."""
    if not (folder / "manifest.json").is_file():
        return
    manifest = decode_json((folder / "manifest.json").read_bytes(), Manifest)
    unknown = [name for name, each in manifest.sources.items() if each.license == UNKNOWN_LICENCE]
    if unknown:
        print(
            f"warning: {folder.name}: the licence of {', '.join(unknown)} is unknown; add it to "
            f"configs/fixtures/{folder.name}.toml before others rely on it.",
            file=sys.stderr,
        )


def _result_line(result: Published, dry_run: bool) -> str:
    if result.moved is None:
        return "was published before"
    files = f"{len(result.release.files)} files, {result.release.size / 1e6:.1f} MB"
    if dry_run:
        return f"would be published, {files}"
    return f"published, {files}, {result.moved / 1e6:.1f} MB moved"


def _plain(result: Published, dry_run: bool) -> dict[str, object]:
    return {
        "name": result.release.name,
        "version": result.release.version,
        "root": result.release.digest,
        "size": result.release.size,
        "published": result.moved is not None and not dry_run,
        "moved": result.moved or 0,
    }


def _print_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(text, file=sys.stderr)
