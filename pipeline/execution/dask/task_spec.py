"""Messages between the client and the workers of a cluster, without file contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.execution.source_modules import PACKAGE, package_digest

PROBE = "probe"
_OURS = "wasi-nn-pipeline, its code"


@dataclass(frozen=True)
class FileRef:
    """A file that a step reads: its digest, its name and its folder.

    Files with the same ``folder`` are placed in one folder, since an xml needs its bin beside it.
    ``place`` is the path on the client, for workers on a shared file system, and ``version`` its
    ``version_of``.
    """

    folder: int
    name: str
    digest: Digest
    place: str
    version: str


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """One step: recipe, inputs and limits.

    ``recipe`` is ``module:name``. ``portable_files`` has the files of each portable value of
    ``unkeyed``. ``versions`` are required of the worker. ``shared_folder`` is a folder of the
    client for the outputs; a worker that reads ``probe`` in its file PROBE shares the file system.
    """

    recipe: str
    parameters: Mapping[str, object]
    unkeyed: Mapping[str, object]
    inputs: Mapping[str, FileRef]
    portable_files: Mapping[str, Mapping[str, FileRef]]
    outputs: Mapping[str, str]
    seconds: float
    memory: int
    versions: Mapping[str, str]
    shared_folder: str
    probe: str

    def files(self) -> list[FileRef]:
        """Return all files that the step reads."""
        return [
            *self.inputs.values(),
            *(s for each in self.portable_files.values() for s in each.values()),
        ]

    def targets(self, folder: Path) -> dict[str, Path]:
        """Return the path of each output below ``folder``."""
        return {
            label: folder / str(number) / name
            for number, (label, name) in enumerate(self.outputs.items())
        }


@dataclass(frozen=True)
class OutputFile:
    """A file that a step wrote: its path on the worker."""

    place: str
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """The result of a step on the worker with this address.

    ``missing`` if it needs the pieces of its files. Otherwise the step's error; or ``written``, the
    folder inside ``shared_folder`` that has the outputs; or the outputs by label and path inside
    the output, which is empty for a file. ``shares`` tells whether it sees ``shared_folder``.
    """

    address: str
    shares: bool
    missing: bool = False
    error: Exception | None = None
    written: str = ""
    outputs: Mapping[str, Mapping[str, OutputFile]] = field(default_factory=dict)


def versions(tools: Iterable[str]) -> dict[str, str]:
    """Return what affects a step's outputs: the tools' versions and the hash of our code."""
    found = {}
    for tool in tools:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "none"
    return {**found, _OURS: package_digest(PACKAGE)}


def check_versions(expected: Mapping[str, str], found: Mapping[str, str], address: str) -> None:
    """Raise PipelineError (CLUSTER) if a worker's versions differ from ours."""
    for tool, required in expected.items():
        if found.get(tool) != required:
            raise PipelineError(
                Code.CLUSTER,
                "A worker of the cluster has different tool versions.",
                where=address,
                expected=f"{tool} {required}",
                found=f"{tool} {found.get(tool, 'none')}",
                hint="Install the same versions on every worker, and restart it.",
            )
