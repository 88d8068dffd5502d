"""`doit lock`: record the digests of what is built, or compare what is built with them."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit.cmd_base import DoitCmdBase

from pipeline.doit_plugin.commands.built_fixtures import STRICT_OPTION, built, manifests
from pipeline.doit_plugin.commands.command_errors import with_command_errors
from pipeline.doit_plugin.commands.run_command import run_command
from pipeline.doit_plugin.project import ProjectContext
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
    "help": "change nothing; fail if the locked tools made other bytes than those that are locked",
}


@with_command_errors
class LockCommand(DoitCmdBase):  # type: ignore[misc] # doit has no types
    """The command; doit asks for a class."""

    name = "lock"
    doc_purpose = "update artifacts/lock.json with the digests of what is built, or check them"
    doc_usage = "[FIXTURE ...]"
    doc_description = (
        "Without a name: the fixtures of a plain run; '*' means all. They must be built; one "
        "whose last build failed is left out, and its entry is kept. The lock has the size and "
        "sha256 of each file, the step that makes it, the versions of all tools that took part, "
        "the canonical digest of each IR, a digest of what its manifest declares (sources, "
        "licences, texts), and the largest output values. With --check, a file "
        "that differs although its tools have the locked versions is an error; with another "
        "version of a tool it may differ, as long as the outputs agree within their bound."
    )
    cmd_options = (_CHECK, STRICT_OPTION)

    def _execute(self, check: bool, strict: bool, pos_args: list[str]) -> int:
        run = _check if check else _lock
        return run_command(
            self, lambda project: run(project, built(project, pos_args, strict=strict))
        )


def _lock(project: ProjectContext, actions: Sequence[Action]) -> int:
    path = _lock_path(project)
    was = read_lock(path)
    declared = project.graph.configs.fixtures.keys()
    kept = {name: each for name, each in was.fixtures.items() if name in declared}
    now = {name: found for name, _, found in _present(actions)}
    write_lock(path, Lock(LOCK_VERSION, kept | now, was.conformance))
    for name, each in now.items():
        change = "unchanged" if was.fixtures.get(name) == each else "locked"
        print(f"{name}: {change}, {len(each.files)} files")
    for name in sorted(set(was.fixtures) - declared):
        print(f"{name}: dropped, no config declares it")
    return 0


def _check(project: ProjectContext, actions: Sequence[Action]) -> int:
    path = _lock_path(project)
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
            equal = len(now.files) - len({each.path for each in findings} & now.files.keys())
            print(f"{name}: {equal} of {len(now.files)} files match the lock")
    return 1 if faults else 0


def _show_fault(finding: LockDifference, lock: Path, name: str) -> None:
    error = PipelineError(
        Code.LOCK,
        finding.message,
        where=f"{lock.parent.name}/{name}/{finding.path}".removesuffix(f"/{name}"),
        expected=finding.expected,
        found=finding.found,
        hint=f"If that is intended: doit lock {name}",
    )
    print(error.render(), file=sys.stderr)


def _present(
    actions: Sequence[Action],
) -> Iterator[tuple[str, Mapping[str, Any], LockedFixture]]:
    """Yield each fixture's name, its manifest, and its entry in the lock."""
    makers = {path: action for action in actions for path in action.outputs.values()}
    for action in manifests(actions):
        path = action.outputs["manifest"]
        manifest = json.loads(path.read_bytes())
        manifest["evidence"] = {
            each.case: json.loads(each.evidence.read_bytes())
            for each in actions
            if each.kind == "verify" and each.fixture == action.fixture and each.evidence
        }
        made = {}
        for file in manifest["files"]:
            maker = makers[path.parent / file["path"]]
            made[file["path"]] = FileOrigin(maker.name, _tools(maker, makers))
        yield action.fixture, manifest, lock_fixture(manifest, made)


def _tools(action: Action, makers: Mapping[Path, Action]) -> dict[str, str]:
    """Return each tool of a step and of those that it needs, with its version."""
    found = {tool: tool_version(tool) for tool in action.tools}
    if action.kind == "toolchain":
        stamp = json.loads(action.outputs["stamp"].read_bytes())
        found[action.name] = f"lock {stamp['lock'][:12]} on Python {stamp['python']}"
    for path in action.inputs.values():
        if path in makers:
            found |= _tools(makers[path], makers)
    if found:
        found["platform"] = f"{sys.platform} {platform.machine()}"
    return found


def _lock_path(project: ProjectContext) -> Path:
    return project.graph.layout.artifacts / "lock.json"
