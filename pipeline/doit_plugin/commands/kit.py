"""`doit kit`: the conformance suite as files, as an archive, and in the lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
from pipeline.errors import Code, PipelineError
from pipeline.publish.release.lock_file import LOCK_VERSION, Lock, LockedKit, read_lock, write_lock
from pipeline.publish.release.release import Release, release_of
from pipeline.publish.release.write_bundle import write_bundle

# The name of the kit among releases, and of its folder.
_KIT = "conformance"
_OUT = {
    "name": "out",
    "short": "",
    "long": "out",
    "type": str,
    "default": "bundles",
    "help": "the folder for the archive (default: bundles)",
}
_CHECK = {
    "name": "check",
    "short": "",
    "long": "check",
    "type": bool,
    "default": False,
    "help": "write no lock; fail if the kit is not the one that is locked",
}


@with_command_errors
class KitCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "kit"
    doc_purpose = "write the conformance suite to artifacts/conformance, and as a .tar.gz"
    doc_usage = "[--check]"
    doc_description = (
        "The kit needs Python and a wasi-nn host only; its README.md says how. Its bytes are the "
        "same from any machine, and its digest is in artifacts/lock.json. `doit publish "
        "conformance` publishes it, and `wasi-nn fetch conformance` fetches it."
    )
    cmd_options = (_OUT, _CHECK)

    def _execute(self, out: str, check: bool, pos_args: list[str]) -> int:
        def command(project: ProjectContext) -> int:
            project.graph.layout.claim_artifacts()
            return _write(project.graph.layout.artifacts, Path(out), check, pos_args)

        return run_command(self, command)


def take_kit(root: Path, names: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Return names without the kit's, and the kit's folder if it is meant.

    Without names it is meant if it is there. Raises PipelineError (LOCK) if it is named and not
    written.
    """
    folder = root / "artifacts" / _KIT
    there = (folder / "kit.json").is_file()
    if _KIT in names and not there:
        raise PipelineError(
            Code.LOCK, "The conformance kit is not written.", hint="Write it first: doit kit"
        )
    meant = there and (not names or _KIT in names)
    return [name for name in names if name != _KIT], [folder] if meant else []


def _write(artifacts: Path, out: Path, check: bool, names: Sequence[str]) -> int:
    from pipeline.conformance.cases.all_cases import CASES
    from pipeline.conformance.write_kit import VERSION, update_kit

    if names:
        raise PipelineError(Code.USAGE, "`doit kit` takes no names.", found=" ".join(names))
    folder, path = artifacts / _KIT, artifacts / "lock.json"
    changed = update_kit(folder, CASES)
    release = release_of(folder, str(VERSION))
    found = LockedKit(VERSION, release.digest)
    lock = read_lock(path)
    if check:
        _compare(lock.conformance, found, path)
    elif lock.conformance != found:
        write_lock(path, Lock(LOCK_VERSION, lock.fixtures, found))
    for archive in _bundled(release, folder, out):
        print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB")
    state = "written" if changed else "unchanged"
    print(f"{artifacts.name}/{_KIT}: {state}, {len(release.files)} files, {release.digest}")
    return 0


def _bundled(release: Release, folder: Path, out: Path) -> list[Path]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return write_bundle(release, folder, out)
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The archive cannot be written.",
            where=str(error.filename or out),
            found=error.strerror or str(error),
        ) from None


def _compare(locked: LockedKit | None, found: LockedKit, path: Path) -> None:
    if locked != found:
        raise PipelineError(
            Code.LOCK,
            "The conformance kit is not the one that is locked.",
            where=str(path),
            expected="nothing" if locked is None else f"suite {locked.suite}, {locked.digest}",
            found=f"suite {found.suite}, {found.digest}",
            hint="If that is meant: doit kit",
        )
