"""Fetch a published fixture: choose the version, verify every byte, install atomically."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from msgspec import structs

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest, key_of
from pipeline.cache.user_cache import USER_CACHE_VARIABLE, user_cache_folder
from pipeline.errors import Code, PipelineError, printable
from pipeline.execution.progress import Progress, ProgressCallback, no_progress
from pipeline.http.retry import DEFAULT_RETRY_POLICY, RetryPolicy
from pipeline.publish.places.indexed import IndexedOrigin
from pipeline.publish.places.mirror import Mirror, is_allowed
from pipeline.publish.places.open_place import open_origin
from pipeline.publish.places.origin import Origin
from pipeline.publish.release.release import (
    MOST_BYTES,
    SUMS,
    Release,
    ReleasedFile,
    check_name,
    check_version,
    decode,
)
from pipeline.publish.release.release_index import MOST_MIRRORS, choose, in_order
from pipeline.scratch import part_beside
from pipeline.source.download_cache import DownloadCache

_AT_A_TIME = 4
_MIRROR_SECONDS, _MIRROR_BYTES_PER_SECOND = 60.0, 1 << 18


def fetch(
    fixture: str,
    *,
    version: str = "",
    sources: Sequence[str] = (),
    out: Path | None = None,
    expect: str = "",
    key: Path | None = None,
    evidence: bool = False,
    offline: bool = False,
    allow_changed: bool = False,
    cache: Path | None = None,
    progress: ProgressCallback = no_progress,
    policy: RetryPolicy = DEFAULT_RETRY_POLICY,
) -> Path:
    """Return the folder of a published fixture, which is fetched if it is not cached.

    ``version`` is a version, a prefix (``1`` is the newest 1.x) or empty for the newest;
    ``sources`` are tried in order: https://…, oci://HOST/NAMESPACE, s3://…, or a folder. The result
    is ``out/<fixture>``, or a folder in the cache, which must not be changed. ``expect`` is the
    required root digest (``sha256:…``), ``key`` a public key that must have signed the release.
    ``evidence`` also fetches the evidence of the machine that built it. A version that was fetched
    before needs no network; that it has other content now is an error, unless ``allow_changed``.
    ``policy`` has the timeouts and retry limits of each request.

    Raises PipelineError: USAGE, SOURCE_UNREACHABLE, SOURCE_MISMATCH, PUBLISH, STORAGE.
    """
    check_name(fixture)
    if version:
        check_version(version)
    if key is not None:
        from pipeline.publish.release.signing import check_public

        check_public(key)
    cache = cache or user_cache_folder()
    downloads = DownloadCache(cache / "downloads", offline, progress, policy)
    try:
        release, places, source = _found(fixture, version, sources, offline, cache, downloads)
        if expect and release.digest != expect:
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                "The release does not have the expected root digest.",
                where=f"{release.name} {release.version}",
                expected=expect,
                found=release.digest,
                hint="Nothing of the release was used.",
            )
        if not allow_changed:
            _check_unchanged(cache, release)
        if evidence and not release.evidence:
            release = _with_evidence(release, places)
        wanted = release if evidence else structs.replace(release, evidence=())
        target = (out or cache / "fixtures" / _place(wanted)) / release.name
        if not _is_there(target, wanted):
            pool = ThreadPoolExecutor(_AT_A_TIME)
            try:
                obtained = pool.map(
                    lambda file: _obtain(release, file, places, downloads), wanted.all_files
                )
                files = list(_counted(obtained, len(wanted.all_files), progress))
            except BaseException as stop:
                # When interrupted, do not wait for servers.
                pool.shutdown(wait=isinstance(stop, Exception), cancel_futures=True)
                raise
            pool.shutdown()
            _install(target, wanted, files, key)
        elif key is not None:
            _check_signed(target, wanted, key)
        if source:
            record = _remembered(cache, source) / fixture / f"{release.version}.json"
            write_bytes(record, release.encode())
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot write the fixture.",
            where=str(error.filename or cache),
            found=error.strerror or str(error),
            hint=f"Set {USER_CACHE_VARIABLE} to a folder where you may write."
            if _refused(error)
            else "",
        ) from None
    return target


def _refused(error: OSError) -> bool:
    return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def _counted(files: Iterable[Path], total: int, progress: ProgressCallback) -> Iterator[Path]:
    for count, file in enumerate(files, 1):
        progress(f"{count} of {total} files", Progress(count, total, "files"))
        yield file


def _found(
    fixture: str,
    version: str,
    sources: Sequence[str],
    offline: bool,
    cache: Path,
    downloads: DownloadCache,
) -> tuple[Release, list[Origin], str]:
    """Return the chosen release, the places of its files, and the source that listed it."""
    places = [open_origin(text, downloads) for text in sources]
    # Versions are immutable, so a cached one needs no request.
    known = _known(cache, sources, fixture)
    if version in known:
        return known[version], places, ""
    if offline:
        chosen = choose(version, known, f"in the cache: {fixture}")
        return known[chosen], [], ""
    if not places:
        raise PipelineError(
            Code.USAGE,
            "No source to fetch from.",
            where=f"{fixture}@{version or 'newest'}",
            expected="--from with a URL, or a version that is cached",
        )
    faults = []
    for place, source in zip(places, sources, strict=True):
        try:
            versions = place.versions(fixture)
            if not versions:
                raise _no_such_fixture(place, fixture)
            chosen = choose(version, versions, f"{place.describe()}: {fixture}")
            release = place.release(fixture, chosen)
            if (release.name, release.version) != (fixture, chosen):
                raise PipelineError(
                    Code.SOURCE_MISMATCH,
                    "The release is another one than its place says.",
                    where=place.describe(),
                    expected=f"{fixture} {chosen}",
                    found=f"{release.name} {release.version}",
                )
            mirrors = _mirrors(place, source, sources, downloads, release.size)
            return release, [*places, *mirrors], source
        except PipelineError as error:
            faults.append(error)
    raise _worst_error(faults)


def list_releases(
    source: str, *, cache: Path | None = None, policy: RetryPolicy = DEFAULT_RETRY_POLICY
) -> dict[str, dict[str, int]]:
    """Return the fixtures of a source, and the size in bytes of each of their versions.

    Raises PipelineError (USAGE) for a registry or a hub, which has no list, and those of ``fetch``.
    """
    downloads = DownloadCache(
        (cache or user_cache_folder()) / "downloads", False, no_progress, policy
    )
    place = open_origin(source, downloads)
    if not isinstance(place, IndexedOrigin):
        raise PipelineError(
            Code.USAGE,
            "This kind of source does not list its fixtures.",
            where=place.describe(),
            expected="a folder, a site (https://…) or a bucket",
        )
    return {
        name: {version: versions[version].size for version in in_order(versions)}
        for name, versions in sorted(place.listing().items())
    }


def _no_such_fixture(place: Origin, fixture: str) -> PipelineError:
    near: list[str] = []
    if isinstance(place, IndexedOrigin):
        near = get_close_matches(fixture, place.listing(), n=1)
    return PipelineError(
        Code.USAGE,
        "No such fixture.",
        where=f"{place.describe()}: {fixture}",
        hint=f"Did you mean {near[0]}?" if near else "",
    )


def _worst_error(faults: Sequence[PipelineError]) -> PipelineError:
    """Return the most important error: wrong content before missing content."""
    return next((each for each in faults if each.code is Code.SOURCE_MISMATCH), faults[0])


def _mirrors(
    place: Origin, source: str, sources: Sequence[str], downloads: DownloadCache, size: int
) -> Iterator[Origin]:
    if isinstance(place, IndexedOrigin):
        # Nobody chose them: they may be dead, or slow on purpose.
        total = min(downloads.policy.total, _MIRROR_SECONDS + size / _MIRROR_BYTES_PER_SECOND)
        impatient = replace(downloads, policy=replace(downloads.policy, attempts=2, total=total))
        for text in place.mirrors[:MOST_MIRRORS]:
            if text not in sources and is_allowed(text, source):
                with suppress(PipelineError):
                    yield Mirror(open_origin(text, impatient))


def _obtain(
    release: Release, file: ReleasedFile, places: Sequence[Origin], downloads: DownloadCache
) -> Path:
    from pipeline.source.expected_file import ExpectedFile

    expected = ExpectedFile(file.size, {"sha256": file.sha256})
    if kept := downloads.get(expected):
        return kept
    if not places:
        raise downloads.offline_error(f"{release.name} {release.version}: {file.path}")
    faults = []
    for place in places:
        try:
            return place.obtain(release, file)
        except PipelineError as error:
            faults.append(error)
    raise _worst_error(faults)


def _with_evidence(release: Release, places: Sequence[Origin]) -> Release:
    for place in places:
        if found := place.evidence(release):
            return structs.replace(release, evidence=found)
    raise PipelineError(
        Code.USAGE,
        "The release has no evidence.",
        where=f"{release.name} {release.version}",
        hint="Omit --evidence, or fetch from where it was first published.",
    )


def _check_unchanged(cache: Path, release: Release) -> None:
    """Raise PipelineError where this machine has seen the version with other content only."""
    paths = cache.glob(f"releases/*/{release.name}/{release.version}.json")
    seen = {each.digest for path in paths if (each := _read(path)) is not None}
    if seen and release.digest not in seen:
        raise PipelineError(
            Code.SOURCE_MISMATCH,
            "The version has other content than when it was first fetched.",
            where=f"{release.name} {release.version}",
            expected=", ".join(sorted(seen)),
            found=release.digest,
            hint="A version never changes. If you trust the new content: --allow-changed",
        )


def _place(release: Release) -> str:
    """Return the name of its folder in the cache, which depends on signature and evidence."""
    if release.all_files == release.files:
        return release.digest[7:39]
    return Release(release.name, "0", release.all_files).digest[7:39]


def _check_signed(folder: Path, release: Release, key: Path) -> None:
    from pipeline.publish.release.signing import check_signature

    why = "no signature"
    if release.signature:
        why = check_signature(folder, key, name=release.name, version=release.version)
    if why:
        raise PipelineError(
            Code.SOURCE_MISMATCH,
            "The release is not signed with this key.",
            where=f"{release.name} {release.version}",
            expected=f"a signature of {release.name}@{release.version}, made with the private key "
            f"of {key}",
            found=why,
            hint="Nothing of the release was used.",
        )


def _is_there(target: Path, release: Release) -> bool:
    """Return whether the folder holds the release; raises PipelineError if it differs."""
    if not target.exists():
        return False
    for file in release.all_files:
        path = target / file.path
        if path.is_symlink() or not path.is_file():
            break
        if Digest.of_file(path) != Digest(file.sha256, file.size):
            break
    else:
        files = {target / file.path for file in release.all_files} | {target / SUMS}
        others = (each for each in target.rglob("*") if each.is_symlink() or not each.is_dir())
        other = next((each for each in sorted(others) if each not in files), None)
        if other is None:
            return True
        path = other
    name = printable(path.relative_to(target).as_posix())
    wanted = any(name == file.path for file in release.all_files)
    raise PipelineError(
        Code.STORAGE,
        "The folder exists with different content.",
        where=str(target),
        expected=f"{release.name} {release.version}, {release.digest}",
        found=f"{'a different' if wanted else 'also'} {name}" if path.exists() else f"no {name}",
        hint="Remove it, or choose another folder with -o.",
    )


def _install(target: Path, release: Release, files: Sequence[Path], key: Path | None) -> None:
    """Install the folder atomically, after checking its signature if ``key`` is given."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with part_beside(target) as part:
        part.mkdir()
        for file, source in zip(release.all_files, files, strict=True):
            path = part / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
        (part / SUMS).write_bytes(release.sums())
        if key is not None:
            _check_signed(part, release, key)
        part.chmod(0o755)
        try:
            part.rename(target)
        except OSError:
            # Another run installed the same release first.
            if not _is_there(target, release):
                raise


def _remembered(cache: Path, source: str) -> Path:
    """Return the folder of a source's known releases: sources may use the same names."""
    return cache / "releases" / key_of({"source": source.rstrip("/")})[:16]


def _known(cache: Path, sources: Sequence[str], fixture: str) -> dict[str, Release]:
    """Return the cached releases of these sources, or of all sources if none is given."""
    folders = [_remembered(cache, source) for source in sources]
    if not sources and (cache / "releases").is_dir():
        folders = sorted((cache / "releases").iterdir())
    known: dict[str, Release] = {}
    for folder in folders:
        for path in sorted((folder / fixture).glob("*.json")):
            release = _read(path)
            if release is None or release.name != fixture:
                continue
            if known.setdefault(release.version, release).digest != release.digest and not sources:
                raise PipelineError(
                    Code.USAGE,
                    "Two sources have different releases with this version.",
                    where=f"{fixture} {release.version}",
                    hint="Choose one with --from.",
                )
    return known


def _read(path: Path) -> Release | None:
    try:
        with path.open("rb") as stream:
            return decode(stream.read(MOST_BYTES), str(path))
    except (FileNotFoundError, PipelineError):
        return None
