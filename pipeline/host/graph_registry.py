"""Named graphs: the models that load_by_name finds, in folders named by the host's owner."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.host.backend import BackendError, Graph
from pipeline.host.backend_registry import Backends
from pipeline.host.model_formats import FORMATS
from pipeline.host.model_types import Encoding, Target

_SAVED_MODEL = "saved_model.pb"
# WasmEdge's --nn-preload has NAME:ENCODING:TARGET:FILE.
_WASMEDGE = re.compile(r"([^:=]+):([A-Za-z]+):(?:CPU|GPU|TPU|AUTO):([^:].*)", re.IGNORECASE)


@dataclass(frozen=True)
class NamedGraph:
    """A name for load_by_name, and the location of the model: its folder, or its first file.

    If the folder holds several models, it is the one named ``model``, else named like the graph,
    else like the folder.
    """

    name: str
    folder: Path
    encoding: Encoding = Encoding.OPENVINO

    @classmethod
    def parse(cls, text: str) -> NamedGraph:
        """Parse ``[NAME=][ENCODING::]FOLDER``.

        The name defaults to the last part of the folder, the encoding to that of the file's suffix,
        else OpenVINO's. Raises PipelineError (USAGE).

        >>> NamedGraph.parse("openvino::models/mobilenet").name
        'mobilenet'
        >>> NamedGraph.parse("cat=onnx::models/mobilenet")  # doctest: +ELLIPSIS
        NamedGraph(name='cat', folder=...Path('models/mobilenet'), encoding=<Encoding.ONNX...>)
        >>> NamedGraph.parse("models/mobilenet.tflite").encoding.value
        'tensorflowlite'
        """
        if habit := _WASMEDGE.fullmatch(text):
            raise PipelineError(
                Code.USAGE,
                "Invalid --graph: NAME:ENCODING:TARGET:FILE is WasmEdge's form.",
                where=f"--graph {text}",
                expected=f"{habit[1]}={habit[2].lower()}::{habit[3]}",
            )
        prefix, colons, rest = text.partition("::")
        if not colons:
            prefix, rest = "", text
        name, equals, encoding = prefix.rpartition("=")
        if not equals:
            before, equals, after = rest.partition("=")
            if equals and not {"/", "\\"} & set(before):
                name, rest = before, after
        path = Path(rest)
        by_suffix = None if path.is_dir() else _by_suffix(path)
        name = name or (path.stem if by_suffix else path.resolve().name)
        if not rest or not name or "\0" in text:
            raise PipelineError(
                Code.USAGE,
                "Invalid --graph.",
                where=f"--graph {text}",
                expected="FOLDER, ENCODING::FOLDER, NAME=FOLDER or NAME=ENCODING::FOLDER",
            )
        given = _encoding(encoding, text) if colons else by_suffix
        return cls(name, path, given or Encoding.OPENVINO)

    def files(self) -> tuple[Path, ...]:
        """Return the model's files, in the order of its parts; raises PipelineError (USAGE)."""
        suffixes = FORMATS[self.encoding].suffixes
        if self.folder.is_dir():
            firsts = sorted(self.folder.glob(f"*{suffixes[0]}"))
        else:
            firsts = [self.folder] if self.folder.is_file() else []
        sets = {
            each.stem: tuple(each.with_suffix(suffix) for suffix in suffixes) for each in firsts
        }
        whole = {stem: files for stem, files in sets.items() if all(map(Path.is_file, files))}
        for stem in ("model", self.name, self.folder.resolve().name):
            if stem in whole:
                return _with_variables(whole[stem])
        if len(whole) == 1:
            return _with_variables(*whole.values())
        raise PipelineError(
            Code.USAGE,
            f"The folder of graph {self.name} does not contain exactly one model.",
            where=str(self.folder),
            expected=f"{' and '.join(f'model{suffix}' for suffix in suffixes)}, or a single "
            f"{' and '.join(suffixes)}",
            found=_found(self.folder, list(whole)),
        )


class GraphRegistry:
    """The named graphs of a host; each is compiled once and shared by guests."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._compiled: dict[object, Graph] = {}
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget the compiled graphs."""
        with self._lock:
            self._compiled = {}

    def named(self, graphs: Sequence[NamedGraph]) -> GraphNames:
        """Return the graphs of one guest; raises PipelineError (USAGE) if a file is missing."""
        files: dict[str, tuple[Encoding, tuple[Path, ...]]] = {}
        for graph in graphs:
            if graph.name in files:
                raise PipelineError(
                    Code.USAGE, "Two graphs have the same name.", where=f"`graphs` {graph.name}"
                )
            files[graph.name] = (graph.encoding, graph.files())
        return GraphNames(self, files)

    def load(self, encoding: Encoding, files: tuple[Path, ...]) -> Graph:
        """Return the compiled graph of the files; raises BackendError and BackendUnavailable."""
        try:
            version = (encoding, tuple(_version(path) for path in files))
        except OSError as error:
            raise BackendError(f"cannot read a file of the graph: {error}") from None
        # Compile one at a time, so that concurrent requests share a graph.
        with self._lock:
            graph = self._compiled.get(version)
            if graph is None:
                backend = self._backends.for_owner(encoding)
                graph = backend.load_files(encoding, files, backend.targets()[Target.CPU])
                self._compiled[version] = graph
        return graph


class GraphNames:
    """The graphs that one guest may load. Names are looked up, never used as paths."""

    def __init__(
        self,
        registry: GraphRegistry,
        files: Mapping[str, tuple[Encoding, tuple[Path, ...]]],
    ) -> None:
        self._registry = registry
        self._files = files

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the graphs."""
        return tuple(self._files)

    def load(self, name: str) -> Graph:
        """Return a compiled graph by name; raises BackendError and BackendUnavailable."""
        return self._registry.load(*self._files[name])


def _by_suffix(path: Path) -> Encoding | None:
    found = [each for each, form in FORMATS.items() if form.suffixes[0] == path.suffix]
    return found[0] if found else None


def _encoding(text: str, where: str) -> Encoding:
    for encoding in FORMATS:
        if text == encoding.value:
            return encoding
    raise PipelineError(
        Code.USAGE,
        "Unsupported encoding for --graph.",
        where=f"--graph {where}",
        expected=", ".join(encoding.value for encoding in FORMATS),
        found=text,
    )


def _with_variables(files: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the files, including the variables of a SavedModel."""
    if files[0].name != _SAVED_MODEL:
        return files
    return (*files, *sorted((files[0].parent / "variables").glob("variables.*")))


def _version(path: Path) -> tuple[object, ...]:
    found = path.stat()
    return path.resolve(), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _found(folder: Path, models: Sequence[str]) -> str:
    if not folder.exists():
        return "no such folder"
    return f"{len(models)} models: {', '.join(models[:8])}" if models else "none"
