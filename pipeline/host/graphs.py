"""Named graphs: what load_by_name finds, each in a folder that the host's owner named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.host.abi import Encoding, Target
from pipeline.host.backend import Graph
from pipeline.host.backends import backend_for

# The suffixes of an encoding's files, in the order of its parts; `model` goes before any other.
_SUFFIXES = {
    Encoding.OPENVINO: (".xml", ".bin"),
    Encoding.ONNX: (".onnx",),
    Encoding.TENSORFLOW: (".pb",),
    Encoding.TENSORFLOWLITE: (".tflite",),
}


@dataclass(frozen=True)
class NamedGraph:
    """A name that guests may load, and the folder that holds the model."""

    name: str
    folder: Path
    encoding: Encoding = Encoding.OPENVINO

    @classmethod
    def parse(cls, text: str) -> NamedGraph:
        """Return the graph that ``[ENCODING::]FOLDER`` or ``NAME=FOLDER`` stands for.

        Without a name it is the last part of the folder. Raises PipelineError (USAGE).

        >>> NamedGraph.parse("openvino::models/mobilenet").name
        'mobilenet'
        >>> NamedGraph.parse("cat=models/mobilenet").name
        'cat'
        """
        prefix, colons, rest = text.partition("::")
        name, equals, folder = (rest if colons else text).partition("=")
        if not equals or "/" in name or "\\" in name:
            name, folder = "", rest if colons else text
        encoding = _encoding(prefix, text) if colons else Encoding.OPENVINO
        name = name or Path(folder).resolve().name
        if not folder or not name or "\0" in text:
            raise PipelineError(
                Code.USAGE,
                "This is no named graph.",
                where=f"--graph {text}",
                expected="FOLDER, ENCODING::FOLDER or NAME=FOLDER",
            )
        return cls(name, Path(folder), encoding)

    def files(self) -> tuple[Path, ...]:
        """Return the model's files, in the order of its parts; raises PipelineError (USAGE)."""
        suffixes = _SUFFIXES[self.encoding]
        named = tuple(self.folder / f"model{suffix}" for suffix in suffixes)
        if all(path.is_file() for path in named):
            return named
        firsts = sorted(self.folder.glob(f"*{suffixes[0]}")) if self.folder.is_dir() else []
        sets = [tuple(first.with_suffix(suffix) for suffix in suffixes) for first in firsts]
        whole = [files for files in sets if all(path.is_file() for path in files)]
        if len(whole) == 1:
            return whole[0]
        wanted = " and ".join(f"model{suffix}" for suffix in suffixes)
        raise PipelineError(
            Code.USAGE,
            f"The folder of graph {self.name} does not hold one model.",
            where=str(self.folder),
            expected=f"{wanted}, or just one {' and '.join(suffixes)}",
            found=_found(self.folder, len(whole)),
        )


class GraphRegistry:
    """The named graphs of a host; each is compiled once, however many guests load it."""

    def __init__(self) -> None:
        self._compiled: dict[object, Graph] = {}

    def catalogue(self, graphs: Sequence[NamedGraph]) -> Catalogue:
        """Return what one guest may load; raises PipelineError (USAGE) for what is not there."""
        files: dict[str, tuple[Encoding, tuple[Path, ...]]] = {}
        for graph in graphs:
            if graph.name in files:
                raise PipelineError(
                    Code.USAGE, "Two graphs have one name.", where=f"--graph {graph.name}"
                )
            files[graph.name] = (graph.encoding, graph.files())
        return Catalogue(self._compiled, files)


class Catalogue:
    """The names that one guest may load. A name is looked up, never made into a path."""

    def __init__(
        self,
        compiled: dict[object, Graph],
        files: dict[str, tuple[Encoding, tuple[Path, ...]]],
    ) -> None:
        self._compiled = compiled
        self._files = files

    @property
    def names(self) -> tuple[str, ...]:
        """The names there are."""
        return tuple(self._files)

    def load(self, name: str) -> Graph:
        """Return the compiled graph of one of the names; raises BackendFailure and Missing."""
        encoding, files = self._files[name]
        version = tuple((path.resolve(), path.stat().st_mtime_ns) for path in files)
        graph = self._compiled.get(version)
        if graph is None:
            backend = backend_for(encoding)
            graph = backend.load_files(encoding, files, backend.targets()[Target.CPU])
            self._compiled[version] = graph
        return graph


def _encoding(text: str, where: str) -> Encoding:
    for encoding in _SUFFIXES:
        if text == encoding.value:
            return encoding
    raise PipelineError(
        Code.USAGE,
        "No graph can be loaded in this encoding.",
        where=f"--graph {where}",
        expected=", ".join(encoding.value for encoding in _SUFFIXES),
        found=text,
    )


def _found(folder: Path, models: int) -> str:
    if not folder.is_dir():
        return "no such folder"
    return f"{models} models" if models else "none"
