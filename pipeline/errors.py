"""Every error a user can meet: a code, one sentence, where, expected and found, and what to do."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Stable names of the errors, shown in brackets and safe to match on in scripts."""

    CONFIG = "config"
    SOURCE_UNREACHABLE = "source-unreachable"
    SOURCE_MISMATCH = "source-mismatch"
    SOURCE_ARCHIVE = "source-archive"
    TOOLCHAIN = "toolchain"
    MODEL = "model"
    TENSOR = "tensor"
    GUEST_BUILD = "guest-build"
    GUEST_IMPORTS = "guest-imports"
    GUEST_FAILED = "guest-failed"
    HOST = "host"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    WORKER = "worker"
    CLUSTER = "cluster"
    VERIFY = "verify"
    LOCK = "lock"
    PUBLISH = "publish"
    STORAGE = "storage"
    USAGE = "usage"
    INTERNAL = "internal"


class PipelineError(Exception):
    """One thing that is wrong, told so that the reader can mend it.

    ``message`` is one sentence; ``where`` a ``file:line``, tensor or node; ``expected`` and
    ``found`` the two sides of a comparison; ``hint`` what to do; ``detail`` the last lines of
    another tool's own words.

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
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only fields do not survive the way back from a worker otherwise.
        return (_rebuild, (self.code, self.message, self._fields()))

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


def _rebuild(code: Code, message: str, fields: dict[str, str]) -> PipelineError:
    return PipelineError(code, message, **fields)


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
