"""Named graphs: folders that the host's user has named, and the only files a guest's name opens."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.host.abi import Errno, Refusal, Target
from pipeline.host.backend import Backend, Graph

_SUFFIXES = {
    "openvino": (".xml",),
    "onnx": (".onnx",),
    "tensorflow": (".pb",),
    "tensorflowlite": (".tflite",),
}


@dataclass(frozen=True)
class NamedGraph:
    """A graph by name: its encoding and its files."""

    name: str
    encoding: str
    files: tuple[Path, ...]


def parse_named_graph(text: str) -> NamedGraph:
    """Read ``[NAME=][ENCODING::]FOLDER``; the name is the folder's own unless it is given.

    In the folder ``model.<suffix>`` is taken, else the only file with that suffix; IR needs the
    .bin beside its xml. Raises PipelineError (USAGE) when the folder holds no such graph.
    """
    name, has_name, rest = text.partition("=")
    encoding, has_encoding, folder_text = (rest if has_name else text).partition("::")
    if not has_encoding:
        encoding, folder_text = "openvino", encoding
    folder = Path(folder_text)
    if encoding not in _SUFFIXES:
        raise _wrong(text, f"one of {', '.join(_SUFFIXES)}", encoding)
    if not folder.is_dir():
        raise _wrong(text, "a folder", folder_text)
    candidates = [path for path in sorted(folder.iterdir()) if path.suffix in _SUFFIXES[encoding]]
    chosen = [path for path in candidates if path.stem == "model"] or candidates
    if len(chosen) != 1:
        expected = f"model{_SUFFIXES[encoding][0]}, or a single {_SUFFIXES[encoding][0]} file"
        raise _wrong(text, expected, f"{len(chosen)} of them in {folder}")
    files: tuple[Path, ...] = (chosen[0],)
    if encoding == "openvino":
        weights = chosen[0].with_suffix(".bin")
        if not weights.is_file():
            raise _wrong(text, f"{weights.name} beside {chosen[0].name}", "no such file")
        files = (chosen[0], weights)
    return NamedGraph(name if has_name else folder.resolve().name, encoding, files)


class NamedGraphs:
    """Named graphs, each loaded once for each target and shared by all handles."""

    def __init__(self, graphs: Iterable[NamedGraph], backend: Backend) -> None:
        self._graphs = {graph.name: graph for graph in graphs}
        self._backend = backend
        self._loaded: dict[tuple[str, Target], Graph] = {}
        self._guard = threading.Lock()

    def load(self, name: str, target: Target) -> Graph:
        """Return the graph; Refusal (8) for a name that the user has not given."""
        if name not in self._graphs:
            known = ", ".join(sorted(self._graphs)) or "none"
            raise Refusal(Errno.NOT_FOUND, f"there is no graph named {name!r}; there is {known}")
        with self._guard:
            if (name, target) not in self._loaded:
                files = self._graphs[name].files
                self._loaded[name, target] = self._backend.load_files(files, target)
            return self._loaded[name, target]


def _wrong(text: str, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.USAGE,
        "The named graph cannot be taken.",
        where=text,
        expected=expected,
        found=found,
        hint="Write FOLDER, ENCODING::FOLDER or NAME=ENCODING::FOLDER.",
    )
