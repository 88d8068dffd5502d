"""User-facing errors: a code, a one-sentence message, where, expected, found and a hint."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Stable error codes, shown in brackets and safe to match on in scripts."""

    CONFIG = "config"
    """A config is invalid; file and line are given, and no work was started."""
    SOURCE_UNREACHABLE = "source-unreachable"
    """No URL of a source delivered the file: no network, no such file, or a server error."""
    SOURCE_MISMATCH = "source-mismatch"
    """A downloaded file does not have the declared size or digest, and is not used."""
    SOURCE_ARCHIVE = "source-archive"
    """An archive is damaged, or would unpack outside its folder or past its limits."""
    TOOLCHAIN = "toolchain"
    """A converter, compiler or locked environment is missing or cannot be created."""
    MODEL = "model"
    """A model cannot be read or converted, or lacks a tensor or layer that the config names."""
    TENSOR = "tensor"
    """A tensor cannot be made as declared, or its bytes do not match its name."""
    GUEST_BUILD = "guest-build"
    """A guest does not compile, or is not a WebAssembly command."""
    GUEST_IMPORTS = "guest-imports"
    """A guest imports a function that the host does not provide or its config does not allow."""
    GUEST_FAILED = "guest-failed"
    """A guest trapped or exited with a nonzero code."""
    TIME_LIMIT = "time-limit"
    """A step, a guest or an inference exceeded its time limit and was killed."""
    MEMORY_LIMIT = "memory-limit"
    """A step or a guest exceeded its memory limit and was killed."""
    WORKER = "worker"
    """The worker process of a step died or was killed."""
    CLUSTER = "cluster"
    """The Dask cluster cannot be reached or used, or lost a step."""
    VERIFY = "verify"
    """An output differs from the expected one, or the executors disagree."""
    LOCK = "lock"
    """The built files differ from `artifacts/lock.json`, or the lock cannot be read."""
    PUBLISH = "publish"
    """A release cannot be published, or already exists with different content."""
    STORAGE = "storage"
    """A file or folder cannot be read or written: permissions, disk space or wrong file type."""
    USAGE = "usage"
    """A command was called with invalid arguments or in the wrong folder."""
    INTERNAL = "internal"
    """A bug in the pipeline; please report it."""


class PipelineError(Exception):
    """One error with everything that the user needs to fix it.

    ``message`` is one sentence; ``where`` a ``file:line``, tensor or node; ``expected`` and
    ``found`` the two sides of a comparison; ``hint`` what to do; ``detail`` the last lines of
    another tool's output. ``evidence`` is what was found, as JSON data for the report.

    >>> error = PipelineError(Code.TENSOR, "The mean has two values.", where="a.toml:3",
    ...                       expected="3", found="2", hint="Give one value per channel.")
    >>> print(error.render())
    error[tensor]: The mean has two values.
      where:    a.toml:3
      expected: 3
      found:    2
      hint:     Give one value per channel.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        where: str = "",
        expected: str = "",
        found: str = "",
        hint: str = "",
        detail: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        self.detail = detail
        self.evidence = dict(evidence or {})

    def __reduce__(self) -> tuple[object, ...]:
        # By default, exceptions with keyword-only arguments cannot be unpickled.
        return (_rebuild, (self.code, self.message, self._fields(), self.evidence))

    def _fields(self) -> dict[str, str]:
        names = ("where", "expected", "found", "hint", "detail")
        return {name: getattr(self, name) for name in names}

    def render(self) -> str:
        """Return the error as text for the terminal."""
        lines = [f"error[{self.code}]: {self.message}"]
        for name, text in self._fields().items():
            if text and name != "detail":
                lines.append(f"  {name + ':':<9} {text}".replace("\n", "\n" + " " * 12))
        lines += [f"  | {line}" for line in self.detail.splitlines()]
        return printable("\n".join(lines))


def printable(text: str) -> str:
    r"""Return a text with its control characters escaped.

    Errors quote guests, models and servers, which may be hostile to a terminal.

    >>> printable("a\x1b[2J\tb\n")
    'a\\x1b[2J\tb\n'
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text
    )


def printable_line(text: str) -> str:
    r"""Return a text on one line, with all control characters escaped.

    >>> printable_line("a\n::error b\udcff")
    'a\\n::error b\\udcff'
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _rebuild(
    code: Code, message: str, fields: dict[str, str], evidence: dict[str, Any]
) -> PipelineError:
    return PipelineError(code, message, **fields, evidence=evidence)


class ConfigErrors(Exception):
    """All errors in the configs, found before any work starts."""

    def __init__(self, errors: tuple[PipelineError, ...]) -> None:
        super().__init__(f"{len(errors)} errors in the configs")
        self.errors = errors

    def __reduce__(self) -> tuple[object, ...]:
        return (ConfigErrors, (self.errors,))

    def render(self) -> str:
        """Return every error, then their count."""
        count = len(self.errors)
        tail = f"{count} error{'s' if count > 1 else ''} in the configs; nothing was started."
        return "\n".join([*(error.render() for error in self.errors), tail])
