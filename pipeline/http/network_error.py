"""Exceptions of requests, urllib3 and the system as one line that says what went wrong."""

from __future__ import annotations

import http.client
import socket
import ssl

from pipeline.http.retry import PermanentError, RetryableError
from pipeline.http.urls import printable_line

NETWORK_HINT = "Check the network and proxy settings, or add a mirror."


def network_error(error: Exception) -> Exception:
    """Return a network error as RetryableError or PermanentError, and any other unchanged."""
    import requests
    import urllib3.exceptions

    causes = _causes(error)

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if isinstance(error, requests.exceptions.ProxyError):
        return RetryableError("the proxy refused the connection", hint=NETWORK_HINT)
    if any_is(socket.gaierror):
        return RetryableError("could not resolve the host name", hint=NETWORK_HINT)
    if any_is(ssl.SSLCertVerificationError):
        return PermanentError(
            "could not verify the server's certificate",
            "For a proxy with its own certificate, set REQUESTS_CA_BUNDLE.",
        )
    if any_is(ConnectionRefusedError):
        return RetryableError("the connection was refused", hint=NETWORK_HINT)
    if any_is(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return RetryableError("timed out waiting for data", hint=NETWORK_HINT)
    if any_is(http.client.BadStatusLine, http.client.LineTooLong) and not any_is(ConnectionError):
        return RetryableError("the response is not valid HTTP", hint=NETWORK_HINT)
    dropped = (requests.ConnectionError, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, dropped):
        return RetryableError("the connection was dropped", hint=NETWORK_HINT)
    if isinstance(error, requests.RequestException):
        return PermanentError(f"invalid request ({type(error).__name__})")
    # The file of the body cannot be read.
    if isinstance(error, OSError) and error.filename is None:
        return PermanentError(printable_line(error.strerror or str(error)))
    return error


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes
