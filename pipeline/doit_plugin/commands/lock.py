"""`doit lock`: keep the digests of what is built, or compare what is built with them."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.built_fixtures import STRICT_OPTION, built, manifests
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.engine import Engine
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action
from pipeline.execution.tool_version import tool_version
from pipeline.publish.release.lock_file import (
    LOCK_VERSION,
    FileOrigin,
    Lock,
    LockDifference,
    LockedFixture,
    compare,
    lock_fixture,
    read_lock,
    write_lock,
)

_CHECK = {
    "name": "check",
    "short": "",
    "long": "check",
    "type": bool,
    "default": False,
    "help": "change nothing; fail where the same tools made other bytes than those that are locked",
}


@with_command_errors
class LockCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "lock"
    doc_purpose = "update artifacts/lock.json with the digests of what is built, or check them"
    doc_usage = "[FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run; '*' means all. They have to be built; one "
        "whose last build failed is left out, and keeps what was locked of it. The lock holds "
        "each file's size and sha256, the step that makes it, the versions of the tools "
        "on its way, the canonical digest of each IR, and the largest values that came out. With "
        "--check, a file that the locked tools made otherwise is an error; with another version of "
        "one of its tools it may differ, as long as the outputs agree within their bound."
    )
    cmd_options = (_CHECK, STRICT_OPTION)

    def _execute(self, check: bool, strict: bool, pos_args: list[str]) -> int:
        run = _check if check else _lock
        return run_command(lambda engine: run(engine, built(engine, pos_args, strict=strict)))


def _lock(engine: Engine, actions: Sequence[Action]) -> int:
    path = _lock_path(actions)
    was = read_lock(path)
    declared = {_fixture(each) for each in manifests(engine.selected(["*"]))}
    kept = {name: each for name, each in was.fixtures.items() if name in declared}
    now = {name: found for name, _, found in _present(actions)}
    write_lock(path, Lock(LOCK_VERSION, kept | now))
    for name, each in now.items():
        told_of = "unchanged" if was.fixtures.get(name) == each else "locked"
        print(f"{name}: {told_of}, {len(each.files)} files")
    for name in sorted(set(was.fixtures) - declared):
        print(f"{name}: dropped, no config declares it")
    return 0


def _check(_: Engine, actions: Sequence[Action]) -> int:
    path = _lock_path(actions)
    was = read_lock(path)
    faults = 0
    for name, manifest, now in _present(actions):
        if name not in was.fixtures:
            _show_fault(LockDifference(name, "The fixture is not locked.", fault=True), path, name)
            faults += 1
            continue
        findings = list(compare(was.fixtures[name], manifest, now))
        for each in findings:
            if each.fault:
                _show_fault(each, path, name)
            else:
                print(f"{name}/{each.path}: {each.message}")
        wrong = sum(each.fault for each in findings)
        faults += wrong
        if not wrong:
            equal = len(now.files) - len(findings)
            print(f"{name}: {equal} of {len(now.files)} files are as they are locked")
    return 1 if faults else 0


def _show_fault(finding: LockDifference, lock: Path, name: str) -> None:
    error = PipelineError(
        Code.LOCK,
        finding.message,
        where=f"{lock.parent.name}/{name}/{finding.path}".removesuffix(f"/{name}"),
        expected=finding.expected,
        found=finding.found,
        hint=f"If that is meant: doit lock {name}",
    )
    print(error.render(), file=sys.stderr)


def _present(
    actions: Sequence[Action],
) -> Iterator[tuple[str, Mapping[str, object], LockedFixture]]:
    """Yield each fixture's name, its manifest, and what a lock holds of it."""
    makers = {path: action for action in actions for path in action.outputs.values()}
    for action in manifests(actions):
        path = action.outputs["manifest"]
        manifest = json.loads(path.read_bytes())
        manifest["evidence"] = {
            case: json.loads((path.parent / "evidence" / case / "report.json").read_bytes())
            for case in manifest["tensors"]
        }
        made = {}
        for file in manifest["files"]:
            maker = makers[path.parent / file["path"]]
            made[file["path"]] = FileOrigin(maker.name, _tools(maker, makers))
        yield _fixture(action), manifest, lock_fixture(manifest, made)


def _tools(action: Action, makers: Mapping[Path, Action]) -> dict[str, str]:
    """Return every tool of a step and of those before it, with its version."""
    kind = action.name.partition(":")[0]
    found = {tool: tool_version(tool) for tool in action.tools}
    if kind == "toolchain":
        stamp = json.loads(action.outputs["stamp"].read_bytes())
        found[action.name] = f"lock {stamp['lock'][:12]} on Python {stamp['python']}"
    for path in action.inputs.values():
        if path in makers:
            found |= _tools(makers[path], makers)
    if found:
        found["platform"] = f"{sys.platform} {platform.machine()}"
    return found


def _lock_path(actions: Sequence[Action]) -> Path:
    return manifests(actions)[0].outputs["manifest"].parents[1] / "lock.json"


def _fixture(action: Action) -> str:
    return action.name.partition(":")[2]
