"""A page about a case on a host, to be sent to the host's maintainers."""

from __future__ import annotations

import shlex
import tarfile
from pathlib import Path

from pipeline.conformance.kit.cases import ConformanceHost, KitCase, command_of
from pipeline.conformance.kit.judge import CONFORMS, UNSAFE, Result

_PRIVATE = (
    "This is a fault of memory safety or of isolation, or may be one: report it by the project's "
    "security policy first, and not in public."
)


def explain(kit: Path, host: ConformanceHost, result: Result) -> str:
    """Return Markdown: what should come out and why, what did, the command, and the calls as WAT.

    Raises OSError and KeyError if the kit lacks its texts.
    """
    case = result.case
    command = [part.replace(str(kit), ".") for part in command_of(host, case)]
    found = result.verdict if result.verdict == CONFORMS else f"{result.verdict}: {result.found}"
    return "\n".join(
        [
            f"# {case.title} on {host.name} {host.version}".rstrip(),
            "",
            *((f"**{_PRIVATE}**", "") if result.verdict == UNSAFE else ()),
            f"- expected: {case.rule}",
            f"- found: {found}",
            f"- level: {case.level}",
            f"- source: {case.source}",
            f"- reason: {case.reason}",
            "",
            "In the folder of the kit:",
            "",
            "```console",
            f"$ {shlex.join(command)}",
            "```",
            "",
            "The calls without the checks (the guest above prints what differs):",
            "",
            "```wat",
            wat_of(kit, case).rstrip("\n"),
            "```",
            "",
        ]
    )


def wat_of(kit: Path, case: KitCase) -> str:
    """Return the calls of a case as WebAssembly text; raises OSError and KeyError."""
    try:
        with tarfile.open(kit / "calls.tar.bz2", "r:bz2") as archive:
            calls = archive.extractfile(f"{case.encoding}/{case.name}.wat")
            return calls.read().decode() if calls else ""
    except tarfile.TarError as error:
        raise OSError(f"calls.tar.bz2 of the kit cannot be read: {error}") from error
