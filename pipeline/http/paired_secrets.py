"""Secrets of environment variables, which go only to a host that the user has paired with them.

The files of a project name variables and servers, and a stranger may have written them. The user
pairs a variable with a server in the environment variable ``WASI_NN_HOSTS``, as ``NAME=ORIGIN``
with spaces between pairs, or in ``hosts.toml`` of the user's config folder::

    [hosts]
    CACHE_TOKEN = ["https://cache.example.org"]
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import Code, PipelineError

VARIABLE = "WASI_NN_HOSTS"
_PORTS = {"http": 80, "https": 443}


def paired_secret(name: str, url: str, *, where: str) -> str:
    """Return the value of the variable ``name`` for the server of ``url``.

    ``where`` says what names the two. Raises PipelineError (CONFIG) if the variable is not set, or
    not paired with the server.
    """
    found = os.environ.get(name, "")
    if not found:
        raise PipelineError(
            Code.CONFIG,
            f"The environment variable {name} is not set.",
            where=where,
            hint="Set it, or remove its name there.",
        )
    if not is_paired(name, url):
        origin = origin_of(url)
        raise PipelineError(
            Code.CONFIG,
            f"The variable {name} may not be sent to {origin}.",
            where=where,
            expected=f"{name}={origin} in {VARIABLE}, or in {hosts_file()}",
            found=", ".join(_origins(name)) or "no server for this variable",
            hint=f"If you trust that server with it: export {VARIABLE}='{name}={origin}'",
        )
    return found


def is_paired(name: str, url: str) -> bool:
    """Return whether the user lets the server of a URL have the variable ``name``.

    Raises PipelineError (CONFIG) for an invalid hosts.toml.
    """
    return origin_of(url) in {origin_of(origin) for origin in _origins(name)}


def origin_of(url: str) -> str:
    """Return the scheme, host and port of a URL; of a bucket, its scheme and name.

    >>> origin_of("https://Cache.example:443/ac/?x=1"), origin_of("s3://bucket/folder")
    ('https://cache.example', 's3://bucket')
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    named = f":{port}" if port is not None and port != _PORTS.get(parts.scheme) else ""
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{named}"


def hosts_file() -> Path:
    """Return the file of the user's pairs, which may not exist."""
    from platformdirs import user_config_path

    return user_config_path("wasi-nn") / "hosts.toml"


def _origins(name: str) -> Iterator[str]:
    for pair in os.environ.get(VARIABLE, "").split():
        variable, equals, origin = pair.partition("=")
        if equals and variable == name:
            yield origin
    place = hosts_file()
    try:
        table = tomllib.loads(place.read_text("utf-8")).get("hosts", {})
        listed = table.get(name, [])
        valid = isinstance(listed, list) and all(isinstance(each, str) for each in listed)
    except OSError:
        return
    except (ValueError, AttributeError, RecursionError):
        valid = False
    if not valid:
        raise PipelineError(
            Code.CONFIG,
            "Invalid file of hosts.",
            where=str(place),
            expected='[hosts] with NAME = ["https://HOST", …]',
            hint="Correct or remove it.",
        )
    yield from listed
