"""Select the backend of each encoding, from the frameworks in pipeline/host/backends."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.host import backends
from pipeline.host.backend import (
    Backend,
    BackendError,
    BackendUnavailable,
    Framework,
    Graph,
    Tuning,
)
from pipeline.host.model_types import Encoding, Target

# Preferred if several frameworks read an encoding.
_FIRST = "openvino"
# In errors of a framework that does not have what a model needs.
_LACKING = ("dynamic rank", "conversion rule", "not supported", "unsupported")


@cache
def frameworks() -> Mapping[str, Framework]:
    """Return all frameworks by name, whether installed or not.

    >>> sorted(frameworks())
    ['litert', 'onnxruntime', 'openvino', 'torch']
    """
    import pkgutil

    names = [each.name for each in pkgutil.iter_modules(backends.__path__)]
    found = map(_module_framework, names)
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


class Backends:
    """The backends of a host, each started on first use; thread-safe.

    ``chosen`` names the framework of an encoding. Raises PipelineError (USAGE) for an unknown one,
    or one that does not read the encoding.
    """

    def __init__(self, chosen: Mapping[Encoding, str], tuning: Tuning) -> None:
        self._chosen = dict(chosen)
        self._tuning = tuning
        self._started: dict[str, Backend] = {}
        self._lock = threading.Lock()
        for encoding, name in chosen.items():
            reading = _reading(encoding)
            if name not in reading:
                raise PipelineError(
                    Code.USAGE,
                    f"No framework named {name} reads {encoding.value}.",
                    where=f"`backends` {encoding.value}={name}",
                    expected=", ".join(reading) or "none",
                    found=name,
                )

    def for_guest(self, encoding: Encoding) -> Backend:
        """Return the backend for a guest's bytes.

        Raises BackendUnavailable with the alternatives.
        """
        framework = self._framework(encoding)
        if framework.runs_models_code and encoding not in self._chosen:
            raise BackendUnavailable(
                f"a {encoding.value} model is a program, which {framework.name} would run outside "
                f"the sandbox; name it with `graphs` {encoding.value}::FOLDER and load it by "
                f"name, or trust this guest with `backends` {encoding.value}={framework.name}"
            )
        return _Advising(self._start(framework), encoding, framework.name)

    def for_owner(self, encoding: Encoding) -> Backend:
        """Return the backend for files named by the host's owner; raises BackendUnavailable."""
        framework = self._framework(encoding)
        return _Advising(self._start(framework), encoding, framework.name)

    def _framework(self, encoding: Encoding) -> Framework:
        first = _module_framework(_FIRST)
        if encoding not in self._chosen and encoding in first.encodings:
            return first  # The others need not even be imported.
        reading = _reading(encoding)
        if not reading:
            raise BackendUnavailable(
                f"no backend for {encoding.value}; convert the model to OpenVINO IR"
            )
        return reading[self._chosen.get(encoding) or min(reading)]

    def _start(self, framework: Framework) -> Backend:
        with self._lock:
            if framework.name not in self._started:
                self._started[framework.name] = framework.start(self._tuning)
            return self._started[framework.name]


class _Advising:
    """A backend that names another one where it lacks what a model needs."""

    def __init__(self, backend: Backend, encoding: Encoding, name: str) -> None:
        self._backend = backend
        others = [
            f"`backends` {encoding.value}={each}" for each in _reading(encoding) if each != name
        ]
        self._advice = f"; try {' or '.join(others)}" if others else ""

    def targets(self) -> Mapping[Target, str]:
        return self._backend.targets()

    def load(self, encoding: Encoding, parts: Sequence[bytearray], device: str) -> Graph:
        with self._advised():
            return self._backend.load(encoding, parts, device)

    def load_files(self, encoding: Encoding, files: Sequence[Path], device: str) -> Graph:
        with self._advised():
            return self._backend.load_files(encoding, files, device)

    @contextmanager
    def _advised(self) -> Iterator[None]:
        try:
            yield
        except BackendError as error:
            if any(sign in str(error).lower() for sign in _LACKING):
                raise BackendError(f"{error}{self._advice}") from None
            raise


def parse_choice(text: str) -> tuple[Encoding, str]:
    """Parse ``ENCODING=FRAMEWORK``.

    Raises PipelineError (USAGE) for an unknown encoding.

    >>> parse_choice("onnx=onnxruntime")
    (<Encoding.ONNX: 'onnx'>, 'onnxruntime')
    """
    encoding, equals, name = text.partition("=")
    for each in Encoding:
        if equals and each.value == encoding and _reading(each):
            return each, name
    raise PipelineError(
        Code.USAGE,
        "Invalid --backend.",
        where=f"--backend {text}",
        expected="ENCODING=FRAMEWORK: "
        + ", ".join(f"{each.value}={name}" for each in Encoding for name in _reading(each)),
    )


def _module_framework(name: str) -> Framework:
    framework: Framework = import_module(f"{backends.__name__}.{name}").FRAMEWORK
    return framework


def _reading(encoding: Encoding) -> Mapping[str, Framework]:
    return {name: each for name, each in frameworks().items() if encoding in each.encodings}
