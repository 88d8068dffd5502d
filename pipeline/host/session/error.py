"""Why a call failed, as a cause that each ABI has its own number for."""

from __future__ import annotations

from enum import Enum

from pipeline.host.backend import BackendError, BackendUnavailable


class Cause(Enum):
    """Kind of a failure; the values are the error codes of wasi-nn's component interface."""

    INVALID_ARGUMENT = "invalid-argument"
    INVALID_ENCODING = "invalid-encoding"
    RUNTIME_ERROR = "runtime-error"
    UNSUPPORTED_OPERATION = "unsupported-operation"
    TOO_LARGE = "too-large"
    NOT_FOUND = "not-found"


class WasiNnError(Exception):
    """A call failed: the cause, and the reason in one sentence."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message


class GuestTrap(Exception):
    """The guest broke a rule for which its functions have no error, which ends it."""


def refuse_argument(message: str) -> WasiNnError:
    """Return the WasiNnError for an invalid argument."""
    return WasiNnError(Cause.INVALID_ARGUMENT, message)


def cause_of(error: Exception) -> tuple[Cause, str]:
    """Return the cause and the message of whatever a call raised.

    >>> cause_of(BackendError("no such layer"))
    (<Cause.RUNTIME_ERROR: 'runtime-error'>, 'no such layer')
    """
    if isinstance(error, WasiNnError):
        return error.cause, error.message
    if isinstance(error, BackendError):
        return Cause.RUNTIME_ERROR, str(error)
    if isinstance(error, BackendUnavailable):
        return Cause.INVALID_ENCODING, str(error)
    if isinstance(error, MemoryError):
        return Cause.TOO_LARGE, "the host is out of memory"
    # A bug in the host must not kill the guest's process.
    return Cause.RUNTIME_ERROR, f"the host failed: {type(error).__name__}: {error}"
