"""The interface of executors of source models: request, result, and required packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.config.model_tables import Framework


@dataclass(frozen=True, kw_only=True)
class InferenceRequest:
    """One inference of a source model, and with ``moved`` the same again to measure its noise.

    ``files`` and ``inputs`` (arrays) have the framework's own names, ``outputs`` are the names of
    what is wanted; ``seed`` is that of the weights, where no file has them. ``moved`` are further
    sets of inputs; None asks for the one answer alone, and anything else, an empty list too, also
    for one without graph optimisation. ``folder`` is empty and private; ``python`` is the
    interpreter that has the framework, and ``seconds`` its wall time, for an executor that runs
    apart.
    """

    files: Mapping[str, Path]
    inputs: Mapping[str, Any]
    outputs: Sequence[str]
    architecture: str | None
    seed: int | None = None
    folder: Path
    python: Path
    seconds: float
    moved: Sequence[Mapping[str, Any]] | None = None

    @property
    def draws(self) -> Sequence[Mapping[str, Any]]:
        """Return the sets of inputs in the order in which they are to be answered."""
        return [self.inputs, *(self.moved or ())]


@dataclass(frozen=True)
class InferenceResult:
    """The arrays of the outputs that were asked for, in that order, and the runtime's version.

    ``others`` are the arrays for each moved set of inputs and then, from an executor that can,
    those without graph optimisation. ``levels`` tells which outputs hold the whole-numbered levels
    of a quantised network; an executor that does not know leaves it empty.
    """

    outputs: Sequence[Any]
    version: str
    others: Sequence[Sequence[Any]] = ()
    levels: Sequence[bool] = ()


class RunInference(Protocol):
    """Runs a source model, which it loads once for all draws."""

    def __call__(self, request: InferenceRequest) -> InferenceResult:
        """Return the answer; raises PipelineError (VERIFY, TIME_LIMIT)."""
        ...


@dataclass(frozen=True)
class ReferenceExecutor:
    """A runtime that shares no code with OpenVINO, except for openvino itself.

    It is the ``package`` that is installed here or, with a ``toolchain``, the one in there.
    """

    reads: Framework
    run: RunInference
    package: str
    toolchain: str | None = None
