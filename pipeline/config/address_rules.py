"""Syntax checks of URLs and paths in a config, without network or disk access."""

from __future__ import annotations

import re

from pipeline.cache.confined_path import path_fault

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_REST = r"(?::[0-9]{1,5})?(?:[/?#][!-~]*)?"
_HTTPS = re.compile(rf"https://{_HOST}{_REST}")
_LOOPBACK = re.compile(rf"http://(?:localhost|127(?:\.[0-9]{{1,3}}){{3}}|\[::1\]){_REST}")
_RELEASE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_NPM = re.compile(r"(?:@[a-z0-9._-]+/)?[a-z0-9][a-z0-9._-]*==[0-9][A-Za-z0-9.+-]*")
_KINDS = "https://HOST/PATH, pypi:NAME==VERSION#PATH, npm:NAME==VERSION#PATH or file:PATH"


def address_fault(address: str) -> str:
    """Return the expected form of a URL, or '' if it is valid.

    >>> address_fault("http://example.org/a.bin")
    'https:; http: is only for localhost'
    >>> address_fault("pypi:scikit-image==0.26.0#skimage/data/chelsea.png")
    ''
    """
    kind, _, rest = address.partition(":")
    match kind:
        case "https":
            return "" if _HTTPS.fullmatch(address) else "https://HOST/PATH, without a password"
        case "http":
            return "" if _LOOPBACK.fullmatch(address) else "https:; http: is only for localhost"
        case "file":
            fault = path_fault(rest)
            return fault and f"file:PATH, where PATH is {fault}"
        case "pypi" | "npm":
            release, _, path = rest.partition("#")
            if not (_RELEASE if kind == "pypi" else _NPM).fullmatch(release):
                return f"{kind}:NAME==VERSION#PATH, one exact version"
            fault = path_fault(path)
            return fault and f"{kind}:NAME==VERSION#PATH, where PATH is {fault}"
    return _KINDS
