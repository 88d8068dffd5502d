"""Why a step runs or is restored: its last failure, or what changed since it was last built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.cache.action_records import Record
from pipeline.cache.confined_path import path_fault
from pipeline.cache.digest import Digest
from pipeline.cache.history import BuildRecord, History, failed_last_time
from pipeline.errors import PipelineError
from pipeline.execution.action import Action
from pipeline.execution.key_changes import changes, code_changes

_SHORT = 12


def reasons_to_run(
    history: History,
    action: Action,
    parts: Mapping[str, Any],
    record: Record | None,
    code: Callable[[], Mapping[str, str]],
    digest: Callable[[Path], Digest],
) -> tuple[str, ...]:
    """Return why a step that is not current runs or is restored.

    ``parts`` are those of its key, ``record`` what that gave before, ``code`` returns the digest of
    each file of its recipe's code, ``digest`` that of a target.
    """
    made = history.last_build(action.name)
    reasons = _changed(made, parts, code()) if made else []
    if not reasons and record is not None:
        reasons = _target_changes(action, record, digest)
    failed = history.last_failure(action.name) if record is None else None
    if failed is not None:
        return (failed_last_time(failed), *reasons)
    return tuple(reasons or ["never built in this project" if made is None else "no cache record"])


def reasons_unreadable(
    history: History | None, action: Action, error: PipelineError
) -> tuple[str, ...]:
    """Return the reasons for a step whose inputs cannot be read."""
    failed = history.last_failure(action.name) if history is not None else None
    if failed is None:
        return (error.message,)
    same = failed.message == error.message
    return (failed_last_time(failed),) if same else (failed_last_time(failed), error.message)


def targets(action: Action, record: Record) -> list[tuple[Path, Digest]] | None:
    """Return each recorded file's path and digest, or None when the record has other outputs."""
    if set(record.outputs) != set(action.outputs) or not all(
        "" not in members if label.endswith("/") else set(members) == {""}
        for label, members in record.outputs.items()
    ):
        return None
    # A record may be somebody else's, by way of a remote cache.
    if any(name and path_fault(name) for names in record.outputs.values() for name in names):
        return None
    return [
        (action.outputs[label] / name if name else action.outputs[label], digest)
        for label, members in record.outputs.items()
        for name, digest in members.items()
    ]


def _changed(made: BuildRecord, parts: Mapping[str, Any], code: Mapping[str, str]) -> list[str]:
    old, new = dict(made.parts), dict(parts)
    if not made.code:
        return [str(change) for change in changes(old, new)]
    # The files say more than the digest of them all.
    old["code"] = new["code"]
    return [*code_changes(made.code, code), *(str(change) for change in changes(old, new))]


def _target_changes(action: Action, record: Record, digest: Callable[[Path], Digest]) -> list[str]:
    reasons = []
    for path, recorded in targets(action, record) or ():
        try:
            found = digest(path)
        except FileNotFoundError:
            reasons.append(f"target {path.name} is missing")
        except OSError as error:
            reasons.append(f"target {path.name} cannot be read: {error.strerror}")
        else:
            if found != recorded:
                old, new = recorded.sha256[:_SHORT], found.sha256[:_SHORT]
                reasons.append(f"target {path.name} was changed: sha256 {old}… → {new}…")
    return reasons or ["its folder contains other files"]
