"""Fetch a file from an npm package, located with `npm view`; no package code is run."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

import msgspec

from pipeline.cache.atomic import leftovers, write_bytes
from pipeline.cache.digest import key_of
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.http.urls import http_fault, printable_line, redacted_url
from pipeline.scratch import scratch_folder
from pipeline.source.addresses import NpmUrl
from pipeline.source.archive_member import member_pieces
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile

_SECONDS = 120.0


class _Dist(msgspec.Struct, frozen=True):
    """The field ``dist`` of `npm view`: archive URL and digests such as ``sha512-<base64>``."""

    tarball: str
    integrity: str

    @property
    def expected(self) -> ExpectedFile:
        """Return the archive's expected digest; raises ValueError without a SHA-512."""
        for each in self.integrity.split():
            kind, _, encoded = each.partition("-")
            if kind == "sha512":
                return ExpectedFile(
                    None, {"sha512": base64.b64decode(encoded, validate=True).hex()}
                )
        raise ValueError("no sha512")


def write_npm_member(
    url: NpmUrl, expected: ExpectedFile, target: Path, downloads: DownloadCache
) -> None:
    """Write the file at ``url`` to ``target``, checked against ``expected``.

    Uses npm's configured registry and verifies the archive by the registry's SHA-512. Raises
    PipelineError (SOURCE_UNREACHABLE, SOURCE_MISMATCH, SOURCE_ARCHIVE) and OSError.
    """
    memory = _cache_path(url, downloads)
    with downloads.lock(memory.name, url.release):
        # Leftovers of a killed process: writing them requires this lock.
        for left in leftovers(memory):
            left.unlink(missing_ok=True)
        known = cached_archive(url, downloads)
        archive = None if known is None else downloads.get(known)
        if archive is None:
            if downloads.offline:
                raise downloads.offline_error(redacted_url(url.text))
            dist = _query(url, downloads)
            write_bytes(memory, msgspec.json.encode(dist))
            archive = downloads.fetch(dist.tarball, dist.expected, url.release)
    with member_pieces(archive, url.member, below_top=True, label=url.release) as pieces:
        if pieces is None:
            raise PipelineError(
                Code.SOURCE_ARCHIVE,
                "The npm package does not contain the file.",
                where=redacted_url(url.text),
                hint="The path is relative to the archive's top folder, often 'package'.",
            )
        expected.write(pieces, target, redacted_url(url.text))


def archive_address(url: NpmUrl, downloads: DownloadCache) -> str:
    """Return the archive's URL from npm; raises PipelineError (SOURCE_UNREACHABLE)."""
    downloads.folder.mkdir(parents=True, exist_ok=True)
    return _query(url, downloads).tarball


def cached_archive(url: NpmUrl, downloads: DownloadCache) -> ExpectedFile | None:
    """Return the archive's expected digest from an earlier query of npm, or None."""
    try:
        return decode_json(_cache_path(url, downloads).read_bytes(), _Dist).expected
    except (FileNotFoundError, msgspec.MsgspecError, ValueError):
        return None


def _cache_path(url: NpmUrl, downloads: DownloadCache) -> Path:
    return downloads.folder / f"npm-{key_of({'release': url.release})[:16]}.json"


def _query(url: NpmUrl, downloads: DownloadCache) -> _Dist:
    downloads.progress("querying npm")
    try:
        # Its answer is remembered by us, so that its own cache and log are of no further use.
        with scratch_folder() as npms:
            finished = run_process(
                [downloads.npm, "view", url.release, "dist", "--json", "--loglevel=error"],
                seconds=min(_SECONDS, downloads.policy.total),
                # A folder above downloads may have an .npmrc that is not the user's.
                cwd=npms,
                env={**os.environ, "npm_config_cache": str(npms)},
            )
    except PipelineError as error:
        if error.code is not Code.TOOLCHAIN:
            raise
        hint = "Install Node.js, which includes npm, or use another URL for the file."
        raise _refused(url, "npm is not installed.", hint=hint) from None
    output = finished.output[finished.output.find("{") : finished.output.rfind("}") + 1]
    try:
        dist = decode_json(output.encode(), _Dist)
        _ = dist.expected
    except (msgspec.MsgspecError, ValueError, binascii.Error):
        found = printable_line(finished.last_lines(2)) or f"exit status {finished.returncode}"
        hint = "Correct the name or the version."
        raise _refused(url, "npm could not locate the package.", found, hint) from None
    if fault := http_fault(dist.tarball):
        found = f"{redacted_url(dist.tarball)}, which is not {fault}"
        raise _refused(url, "npm returned an invalid archive URL.", found)
    return dist


def _refused(url: NpmUrl, message: str, found: str = "", hint: str = "") -> PipelineError:
    return PipelineError(
        Code.SOURCE_UNREACHABLE, message, where=redacted_url(url.text), found=found, hint=hint
    )
