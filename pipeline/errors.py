"""Every error a user can meet: a code, one sentence, where, expected and found, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """Stable names of the errors, shown in brackets and safe to match on in scripts."""

    CONFIG = "config"
    """A config says what cannot be; the file and line are named, and nothing was started."""
    SOURCE_UNREACHABLE = "source-unreachable"
    """No address of a source gave the file: no network, no such file, or a server that fails."""
    SOURCE_MISMATCH = "source-mismatch"
    """A file from elsewhere has another size or digest than declared, and is not used."""
    SOURCE_ARCHIVE = "source-archive"
    """An archive is damaged, or would unpack outside its folder or beyond its limits."""
    TOOLCHAIN = "toolchain"
    """A converter, compiler or locked environment is missing, or cannot be made here."""
    MODEL = "model"
    """A model cannot be read or converted, or lacks what the config names."""
    TENSOR = "tensor"
    """A tensor cannot be made as declared, or its bytes are not what its name says."""
    GUEST_BUILD = "guest-build"
    """A guest does not compile, or is no WebAssembly command."""
    GUEST_IMPORTS = "guest-imports"
    """A guest imports what the host does not offer, or what its config does not allow."""
    GUEST_FAILED = "guest-failed"
    """A guest trapped, or ended with an exit code other than 0."""
    TIME_LIMIT = "time-limit"
    """A step, a guest or an inference took longer than its limit, and was ended."""
    MEMORY_LIMIT = "memory-limit"
    """A step or a guest took more memory than its limit, and was ended."""
    WORKER = "worker"
    """The process that a step ran in was lost or killed."""
    CLUSTER = "cluster"
    """The Dask cluster cannot be reached or used, or lost what was sent to it."""
    VERIFY = "verify"
    """An output is not the expected one, or the witnesses disagree."""
    LOCK = "lock"
    """What is built differs from `artifacts/lock.json`, or the lock cannot be read."""
    PUBLISH = "publish"
    """A release cannot be published, or is there with another content."""
    STORAGE = "storage"
    """A file or folder cannot be read or written: rights, space, or something else in its place."""
    USAGE = "usage"
    """A command was called with what it does not take, or not where it can work."""
    INTERNAL = "internal"
    """A fault of the pipeline itself; please report it."""


class PipelineError(Exception):
    """One thing that is wrong, told so that the reader can mend it.

    ``message`` is one sentence; ``where`` a ``file:line``, tensor or node; ``expected`` and
    ``found`` the two sides of a comparison; ``hint`` what to do; ``detail`` the last lines of
    another tool's own words. ``evidence`` is what was found as plain data, as JSON holds it: kept
    and shown by the report, not by a terminal.

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
        # Exceptions with keyword-only fields do not survive the way back from a worker otherwise.
        return (_rebuild, (self.code, self.message, self._fields(), self.evidence))

    def _fields(self) -> dict[str, str]:
        names = ("where", "expected", "found", "hint", "detail")
        return {name: getattr(self, name) for name in names}

    def render(self) -> str:
        """Return the error as the lines that a terminal shows."""
        lines = [f"error[{self.code}]: {self.message}"]
        for name, text in self._fields().items():
            if text and name != "detail":
                lines.append(f"  {name + ':':<9} {text}".replace("\n", "\n" + " " * 12))
        lines += [f"  | {line}" for line in self.detail.splitlines()]
        return printable("\n".join(lines))


def printable(text: str) -> str:
    r"""Return a text with everything written out that would steer a terminal.

    Errors quote guests, models and servers, which may be hostile.

    >>> printable("a\x1b[2J\tb\n")
    'a\\x1b[2J\tb\n'
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text
    )


def _rebuild(
    code: Code, message: str, fields: dict[str, str], evidence: dict[str, Any]
) -> PipelineError:
    return PipelineError(code, message, **fields, evidence=evidence)


class ConfigErrors(Exception):
    """All that is wrong with the configs, found before any work starts."""

    def __init__(self, errors: tuple[PipelineError, ...]) -> None:
        super().__init__(f"{len(errors)} errors in the configs")
        self.errors = errors

    def __reduce__(self) -> tuple[object, ...]:
        return (ConfigErrors, (self.errors,))

    def render(self) -> str:
        """Return every error, then how many there are."""
        count = len(self.errors)
        tail = f"{count} error{'s' if count > 1 else ''} in the configs; nothing was started."
        return "\n".join([*(error.render() for error in self.errors), tail])
