"""Another library's words without what may be secret in them."""

from __future__ import annotations

import os
import re

from pipeline.errors import printable

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASS|SAS|CREDENTIAL|CONNECTION_STRING", re.I)
_LOGIN = re.compile(r"//[^/\s@]*@")
_QUERY = re.compile(r"\?\S+")
# Shorter ones would take letters out of plain words.
_LEAST = 6
_LONGEST = 200


def without_secrets(text: str) -> str:
    """Return one short line without logins, queries of addresses, and the environment's secrets.

    Those are what it holds under names such as AWS_SECRET_ACCESS_KEY.

    >>> without_secrets("GET https://me:pw@host.example/a?sig=abc failed")
    'GET https://host.example/a?… failed'
    """
    for name, value in os.environ.items():
        if _NAMES.search(name) and len(value) >= _LEAST:
            text = text.replace(value, "…")
    text = _QUERY.sub("?…", _LOGIN.sub("//", " ".join(text.split())))
    return printable(text[:_LONGEST])
