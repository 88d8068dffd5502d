"""The cases as the kit's files describe them, and the command that runs one on a host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class KitCase(NamedTuple):
    """A case as its files describe it; the wasm is ``folder/name.wasm``."""

    folder: Path
    name: str
    level: str
    rule: str
    source: str
    reason: str
    memory: bool
    exit_code: int
    stdout: str | None
    args: Sequence[str]
    graphs: Sequence[str]
    need: str = ""
    says: Sequence[str] = ()

    @property
    def encoding(self) -> str:
        """The suite's folder is named after the encoding of its models; components have IRs."""
        return "openvino" if self.folder.name == "component" else self.folder.name

    @property
    def title(self) -> str:
        """The name among all cases."""
        suite = self.folder.name
        return self.name if suite == "openvino" else f"{suite}/{self.name}"


class ConformanceHost(NamedTuple):
    """A host: the command that runs a guest, and what a named graph adds to it.

    In the command, {wasm}, {args}, {graph}, {models} and {dir} are replaced; in ``graph``, {name},
    {encoding}, {path} (a folder) and {files} (joined by colons). ``folder`` is where it runs.
    ``options`` are the words that give a case what it needs: ``preload`` a module, in which {name}
    and {path} are replaced, and ``seconds`` a time limit of a second. ``start`` starts a command in
    another way than as a new process of its program.
    """

    name: str
    version: str
    command: Sequence[str]
    graph: Sequence[str] = ()
    folder: str = ""
    environment: Mapping[str, str] | None = None
    options: Mapping[str, Sequence[str]] = {}
    start: Callable[[Sequence[str]], Any] | None = None


def read_cases(kit: Path, encodings: Sequence[str] = ("openvino",)) -> list[KitCase]:
    """Return the cases of these suites, in order; raises OSError, ValueError and KeyError."""
    return [case for encoding in encodings for case in _suite(kit / encoding)]


def _suite(folder: Path) -> Iterator[KitCase]:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name, about in manifest["cases"].items():
        expected = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        yield KitCase(
            folder,
            name,
            level=about["level"],
            rule=about["rule"],
            source=about["source"],
            reason=about["reason"],
            memory=about.get("memory", True),
            exit_code=expected["exit_code"],
            stdout=expected.get("stdout"),
            args=expected.get("args", ()),
            graphs=expected.get("graphs", ()),
            need=about.get("need", ""),
            says=about.get("says", ()),
        )


def command_of(host: ConformanceHost, case: KitCase) -> list[str]:
    """Return the command that runs the guest of a case on a host."""
    models = case.folder.parent / "models" / case.encoding

    def filled(part: str, **more: str) -> str:
        values = {"wasm": str(case.folder / f"{case.name}.wasm"), "dir": str(models)}
        for key, value in {**values, "models": str(models), **more}.items():
            part = part.replace(f"{{{key}}}", value)
        return part

    def named(name: str) -> list[str]:
        files = ":".join(sorted(map(str, (models / name).iterdir()), reverse=True))
        more = {"name": name, "encoding": case.encoding, "path": str(models / name)}
        return [filled(part, files=files, **more) for part in host.graph]

    second = case.folder.parent / "preload" / case.encoding / f"{case.name}.wasm"
    options = [
        filled(part, name="second", path=str(second)) for part in host.options.get(case.need, ())
    ]
    graphs = [*options, *(word for name in case.graphs for word in named(name))]
    args = [filled(arg) for arg in case.args]
    words: list[str] = []
    for part in host.command:
        if part == "{graph}":
            words += graphs
        elif part == "{args}":
            words += args
        elif "{wasm}" in part:
            words += [] if "{graph}" in host.command else graphs
            words += [filled(part)] + ([] if "{args}" in host.command else args)
        else:
            words.append(filled(part))
    return words
