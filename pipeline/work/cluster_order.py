"""What a client and a worker of a cluster say to each other: values alone, no bytes of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.store.digest import Digest
from pipeline.work.code import PACKAGE, package_digest

_OURS = "wasi-nn-pipeline, its code"


@dataclass(frozen=True)
class Sent:
    """A file that a step needs: its digest, its name, and which files it shares a folder with.

    An xml finds its bin beside it: files of one ``folder`` here are in one folder there. ``place``
    is where this machine has it, for a worker that sees the same files, and ``version`` tells that
    version of it from any other, as ``version_of`` does.
    """

    folder: int
    name: str
    digest: Digest
    place: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Order:
    """One step: which recipe, on what, within which limits.

    ``recipe`` is ``module:name``. ``kept`` has the files of each portable value of ``means``.
    ``versions`` are those that the worker must have too. ``at`` is the client's folder that a
    worker which sees its files writes the outputs to, and empty for any other worker.
    """

    recipe: str
    parameters: Mapping[str, object]
    means: Mapping[str, object]
    inputs: Mapping[str, Sent]
    kept: Mapping[str, Mapping[str, Sent]]
    outputs: Mapping[str, str]
    seconds: float
    memory: int
    versions: Mapping[str, str]
    at: str = ""

    def files(self) -> list[Sent]:
        """Return all that the step reads."""
        return [*self.inputs.values(), *(s for each in self.kept.values() for s in each.values())]

    def digests(self) -> set[Digest]:
        """Return what the worker must hold before it can begin."""
        return {sent.digest for sent in self.files()}

    def targets(self, folder: Path) -> dict[str, Path]:
        """Return where each output lies below the folder that they are written to."""
        return {
            label: folder / str(number) / name
            for number, (label, name) in enumerate(self.outputs.items())
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of an order at the worker with this address.

    Either it lacks something, or an error ended the step, or the outputs are there: by label and
    path inside the output, which is empty for a file. Those that it wrote ``at`` the client's own
    folder are not told again.
    """

    address: str
    lacking: tuple[Digest, ...] = ()
    error: Exception | None = None
    outputs: Mapping[str, Mapping[str, Digest]] = field(default_factory=dict)


def versions(tools: Iterable[str]) -> dict[str, str]:
    """Return what decides what a step makes here: the tools' versions, and our own code's hash."""
    found = {}
    for tool in tools:
        try:
            found[tool] = version(tool)
        except PackageNotFoundError:
            found[tool] = "none"
    return {**found, _OURS: package_digest(PACKAGE)}


def check_versions(expected: Mapping[str, str], found: Mapping[str, str], address: str) -> None:
    """Raise PipelineError (CLUSTER) where a worker would make something else than we would."""
    for tool, wanted in expected.items():
        if found.get(tool) != wanted:
            raise PipelineError(
                Code.CLUSTER,
                "A worker of the cluster has other tools than this machine, so it is refused.",
                where=address,
                expected=f"{tool} {wanted}",
                found=f"{tool} {found.get(tool, 'none')}",
                hint="Install the same versions on every worker, and restart it.",
            )
