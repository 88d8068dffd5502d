"""Retry policy, deadlines and errors of HTTP requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

# Transient status codes, worth a retry.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts in seconds and retry limits.

    ``connect`` is the connect timeout, ``read`` the read timeout, ``total`` the deadline of the
    file with all attempts; ``attempts`` the number of consecutive attempts without progress;
    ``first_wait`` the backoff, which doubles up to ``longest_wait``.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 3600.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0


DEFAULT_RETRY_POLICY = RetryPolicy()


@dataclass(frozen=True, slots=True)
class RequestDeadline:
    """A point in time, ``seconds`` after it was set."""

    seconds: float
    until: float

    @classmethod
    def after(cls, seconds: float) -> RequestDeadline:
        """Return the deadline in so many seconds from now."""
        return cls(seconds, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """The remaining seconds, not below zero."""
        return max(0.0, self.until - time.monotonic())


class RetryableError(Exception):
    """A failure worth a retry; the server requested a wait of ``wait`` seconds."""

    def __init__(
        self, reason: str, *, wait: float = 0.0, hint: str = "", status: int | None = None
    ) -> None:
        super().__init__(reason)
        self.wait = wait
        self.hint = hint
        self.status = status
        self.progressed = False


class PermanentError(Exception):
    """A permanent failure; ``status`` is that of the response, if there was one."""

    def __init__(self, reason: str, hint: str = "", status: int | None = None) -> None:
        super().__init__(reason)
        self.hint = hint
        self.status = status


def with_retries(
    attempt: Callable[[RequestDeadline], T],
    policy: RetryPolicy,
    *,
    deadline: RequestDeadline | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> T:
    """Return the result of ``attempt``, repeated with a backoff after each RetryableError.

    All attempts share a deadline, by default ``policy.total`` seconds from now. Raises
    PermanentError.
    """
    deadline = deadline or RequestDeadline.after(policy.total)
    failures = times = 0
    while True:
        times += 1
        try:
            return attempt(deadline)
        except RetryableError as error:
            failures = 1 if error.progressed else failures + 1
            wait = max(error.wait, policy.first_wait * 2 ** (failures - 1))
            wait = min(wait, policy.longest_wait)
            if failures >= policy.attempts or wait > deadline.left:
                often = f", {times} times" if times > 1 else ""
                raise PermanentError(f"{error}{often}", error.hint, error.status) from None
            progress(f"{error}; retrying in {wait:.1f} s")
            time.sleep(wait)


def retry_after(text: str) -> float:
    """Return the seconds of Retry-After, which is a number or a date (RFC 9110, 10.2.3)."""
    if text.isdecimal():
        return float(text[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0
