"""Remove secrets from the error messages of other libraries."""

from __future__ import annotations

import os
import re

from pipeline.errors import printable

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASS|SAS|CREDENTIAL|CONNECTION_STRING", re.I)
_LOGIN = re.compile(r"//[^/\s@]*@")
_QUERY = re.compile(r"\?\S+")
# Shorter values would also match parts of words.
_LEAST = 6
_LONGEST = 200


def redact(text: str) -> str:
    """Return one short line without credentials, URL queries, and secrets of the environment.

    Those are the values of variables with names such as AWS_SECRET_ACCESS_KEY.

    >>> redact("GET https://me:pw@host.example/a?sig=abc failed")
    'GET https://host.example/a?… failed'
    """
    for name, value in os.environ.items():
        if _NAMES.search(name) and len(value) >= _LEAST:
            text = text.replace(value, "…")
    text = _QUERY.sub("?…", _LOGIN.sub("//", " ".join(text.split())))
    return printable(text[:_LONGEST])
