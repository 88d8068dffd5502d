"""artifacts/lock.json: which bytes every fixture has, and with what they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from pipeline.cache.atomic import atomic_write
from pipeline.cache.digest import key_of
from pipeline.cache.json_decoding import convert_value, decode_json
from pipeline.errors import Code, PipelineError
from pipeline.verify.evidence import Evidence

LOCK_VERSION = 1
_MOST_BYTES = 64 * 2**20

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
_Size = Annotated[int, msgspec.Meta(ge=0)]


class LockedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its bytes, the step that makes it, and all tools that take part on the way."""

    size: _Size
    sha256: _Sha256
    recipe: str
    tools: tuple[str, ...]


class LockedValue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the largest values of a case's judged output."""

    index: int
    value: float


class LockedFixture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fixture: its files by their paths, its network, and what came out for each case.

    ``tools`` maps each tool to its version; a locked environment is ``toolchain:NAME``.
    ``manifest`` is the digest of what the manifest declares, '' in a lock of an older version.
    """

    canonical_digest: _Sha256
    tools: dict[str, str]
    files: dict[str, LockedFile]
    cases: dict[str, tuple[LockedValue, ...]]
    manifest: str = ""


class LockedKit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conformance kit: the suite's version, and the digest of all files (`sha256:…`)."""

    suite: int
    digest: str


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All fixtures by name, and the conformance kit."""

    lock_version: int
    fixtures: dict[str, LockedFixture]
    conformance: LockedKit | None = None


class FileOrigin(msgspec.Struct, frozen=True):
    """How one file came about: its step, and every tool on the way with its version."""

    recipe: str
    tools: Mapping[str, str]


class LockDifference(msgspec.Struct, frozen=True):
    """A file that is not as it is locked; ``fault`` where no other version of a tool excuses it."""

    path: str
    message: str
    fault: bool
    expected: str = ""
    found: str = ""


def read_lock(path: Path) -> Lock:
    """Return what is locked; nothing where there is no file.

    Raises PipelineError (LOCK) when it is not a lock of this version.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _unreadable(path, f"at most {_MOST_BYTES} bytes", f"{path.stat().st_size} bytes")
        lock = decode_json(path.read_bytes(), Lock)
    except FileNotFoundError:
        return Lock(LOCK_VERSION, {})
    except OSError as error:
        raise _unreadable(path, "a file", error.strerror or str(error)) from None
    except msgspec.DecodeError as error:
        raise _unreadable(path, "JSON as `doit lock` writes it", str(error)) from None
    if lock.lock_version != LOCK_VERSION:
        raise _unreadable(path, f"lock_version {LOCK_VERSION}", str(lock.lock_version))
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    """Write the lock: the same bytes for the same content. Raises PipelineError (STORAGE)."""
    text = msgspec.json.format(msgspec.json.encode(lock, order="sorted"), indent=1)
    try:
        with atomic_write(path) as part:
            part.write_bytes(text + b"\n")
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "The lock cannot be written.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None


def lock_fixture(manifest: Mapping[str, Any], made: Mapping[str, FileOrigin]) -> LockedFixture:
    """Return a fixture as it is now; ``made`` tells how each file of its manifest came about."""
    facts = convert_value(manifest, _Facts)
    tools = {tool: version for each in made.values() for tool, version in each.tools.items()}
    return LockedFixture(
        canonical_digest=facts.model.canonical_digest,
        tools=tools,
        files={
            file.path: LockedFile(
                file.size, file.sha256, made[file.path].recipe, tuple(sorted(made[file.path].tools))
            )
            for file in facts.files
        },
        cases={
            case: tuple(LockedValue(each.index, each.value) for each in evidence.top)
            for case, evidence in facts.evidence.items()
        },
        manifest=declared_digest(manifest),
    )


def declared_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest of what a manifest declares: sources, licences, tensors, texts, commands.

    It does not depend on the versions of tools and of the pipeline's code: left out are files and
    the canonical digest, which a lock has itself, versions, and the keys and code of steps.
    """
    facts = {key: value for key, value in manifest.items() if key != "evidence"}
    facts["files"] = [_without(file, "path", "size", "sha256") for file in manifest["files"]]
    facts["model"] = _without(manifest["model"], "canonical_digest")
    steps = manifest.get("steps", {})
    facts["steps"] = {name: _without(step, "key", "code") for name, step in steps.items()}
    facts["tools"] = sorted(manifest.get("tools", {}))
    facts["toolchains"] = {
        name: _without(each, "lock", "python")
        for name, each in manifest.get("toolchains", {}).items()
    }
    return f"sha256:{key_of(facts)}"


def _without(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in keys}


def compare(
    was: LockedFixture, manifest: Mapping[str, object], now: LockedFixture
) -> Iterator[LockDifference]:
    """Yield what differs from the lock.

    With the tools that are locked, bytes must be equal. Where a tool that takes part in a file has
    another version its bytes may differ; the outputs must then agree within twice the bound of the
    golden check.
    """
    changed = {
        tool: f"{tool} {was.tools.get(tool, 'not used')} → {now.tools.get(tool, 'not used')}"
        for tool in {*was.tools, *now.tools}
        if was.tools.get(tool) != now.tools.get(tool)
    }
    same = was.canonical_digest == now.canonical_digest
    network = f"{'the same' if same else 'another'} network by its canonical digest"
    for path in sorted({*was.files, *now.files}):
        old, new = was.files.get(path), now.files.get(path)
        if old is None or new is None:
            there = "is not in the lock" if old is None else "is locked, and was not made"
            yield LockDifference(path, f"The file {there}.", fault=True)
        elif (old.size, old.sha256) != (new.size, new.sha256):
            by = [changed[tool] for tool in sorted({*old.tools, *new.tools}) if tool in changed]
            message = "The file differs from the lock, though its tools are the locked ones."
            if by:
                message = f"other bytes by {', '.join(by)}"
                message += f"; {network}" if path.endswith((".xml", ".bin")) else ""
            yield LockDifference(
                path,
                message,
                fault=not by,
                expected=f"{old.size} bytes, sha256 {old.sha256}",
                found=f"{new.size} bytes, sha256 {new.sha256}",
            )
    if was.manifest != now.manifest:
        yield LockDifference(
            "manifest.json",
            "The manifest declares something else than the locked one.",
            fault=not changed,
            expected=was.manifest or "a digest, which older locks do not have",
            found=now.manifest,
        )
    yield from _strayed(was, convert_value(manifest, _Facts))


class _FileFacts(msgspec.Struct):
    path: str
    size: int
    sha256: str


class _ModelFacts(msgspec.Struct):
    canonical_digest: str


class _Facts(msgspec.Struct):
    """What the lock holds of a manifest."""

    files: list[_FileFacts]
    model: _ModelFacts
    evidence: dict[str, Evidence]


def _strayed(was: LockedFixture, now: _Facts) -> Iterator[LockDifference]:
    for case, evidence in now.evidence.items():
        values = {each.index: each.value for each in evidence.top}
        # The golden check bounds each run's distance from the framework: of two runs, twice.
        most = 2 * max((each.bound for each in evidence.top), default=0.0)
        for old in was.cases.get(case, ())[:1]:
            new = values.get(old.index)
            if new is None or abs(new - old.value) > most:
                yield LockDifference(
                    f"evidence/{case}",
                    "The largest value of the output is not the one that is locked.",
                    fault=True,
                    expected=f"index {old.index}: {old.value:.6g} within {most:.3g}",
                    found=f"index {old.index}: {new:.6g}" if new is not None else f"{values}",
                )


def _unreadable(path: Path, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.LOCK,
        "The lock cannot be read.",
        where=str(path),
        expected=expected,
        found=found,
        hint="Restore it from version control, or remove it and run `doit lock`.",
    )
