"""Logins of OCI registries: docker's configuration, and the exchange of a login for a token.

Sources: https://distribution.github.io/distribution/spec/auth/token/ and .../auth/oauth/;
https://github.com/docker/docker-credential-helpers.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pipeline.cache.json_decoding import decode_json
from pipeline.http.client import HttpClient
from pipeline.http.paired_secrets import is_paired
from pipeline.http.retry import PermanentError, RequestDeadline
from pipeline.http.urls import http_fault, is_loopback

# The registry that docker's configuration has under another name.
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_MOST_CONFIG_BYTES = 1 << 20
_MOST_TOKEN_BYTES = 1 << 16
_HELPER_SECONDS = 30.0
_CLIENT = "wasi-nn-pipeline"


@dataclass(frozen=True)
class Login:
    """A user with a password or, without a user, an identity token."""

    user: str
    secret: str

    @property
    def basic(self) -> str:
        """The value of the header Authorization."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.secret}'.encode()).decode()}"


def find_login(host: str) -> Login | None:
    """Return the login of ORAS_USER and ORAS_PASS, if paired with the host, or of `docker login`.

    The latter is in docker's config.json or with a credential helper.
    """
    user, secret = os.environ.get("ORAS_USER"), os.environ.get("ORAS_PASS")
    if user and secret and is_paired("ORAS_PASS", f"https://{host}"):
        return Login(user, secret)
    config = _read_config()
    keys = [host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"]
    if host in _DOCKER_HUB:
        keys.append(_DOCKER_HUB_KEY)
    helpers = _mapping(config.get("credHelpers"))
    auths = _mapping(config.get("auths"))
    for key in keys:
        helper = helpers.get(key) or config.get("credsStore")
        if isinstance(helper, str) and (found := _ask_helper(helper, key)):
            return found
        if found := _login(_mapping(auths.get(key))):
            return found
    return None


def authorization(
    challenge: str, url: str, login: Login | None, http: HttpClient, deadline: RequestDeadline
) -> str | None:
    """Return the header Authorization that answers the challenge of ``url``, or None.

    Raises RetryableError and PermanentError if the token service fails.
    """
    from requests.utils import parse_dict_header

    kind, _, rest = challenge.partition(" ")
    if kind.lower() == "basic":
        return login.basic if login is not None and login.user else None
    if kind.lower() != "bearer":
        return None
    parsed = parse_dict_header(rest)  # type: ignore[no-untyped-call] # it has no types
    asked = {name: str(value) for name, value in parsed.items()}
    realm = asked.get("realm", "")
    # A registry may name another server, but no local one, unless it is local itself.
    if http_fault(realm) or (is_loopback(realm) and not is_loopback(url)):
        raise PermanentError("the registry names an invalid token service")
    about = {name: asked[name] for name in ("service", "scope") if name in asked}
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    method, body = "GET", b""
    if login is not None and not login.user:
        form = {"grant_type": "refresh_token", "refresh_token": login.secret, "client_id": _CLIENT}
        method, body = "POST", urlencode({**about, **form}).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    else:
        parts = urlsplit(realm)
        query = urlencode([*parse_qsl(parts.query), *about.items()])
        realm = urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))
        if login is not None:
            headers["Authorization"] = login.basic
    with http.request(method, realm, headers, deadline, body=body) as response:
        if response.status in (400, 401, 403, 404):
            return None
        response.check({})
        token = _token(response.read(_MOST_TOKEN_BYTES))
    return f"Bearer {token}" if token else None


def _token(data: bytes) -> str:
    try:
        found = decode_json(data, dict[str, object])
    except ValueError:
        raise PermanentError("the token service sent an invalid response") from None
    token = found.get("token") or found.get("access_token")
    if isinstance(token, str) and token.isascii() and token.isprintable():
        return token
    return ""


def _read_config() -> Mapping[str, Any]:
    named = os.environ.get("DOCKER_CONFIG")
    path = (Path(named) if named else Path.home() / ".docker") / "config.json"
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as stream:
            return _mapping(json.loads(stream.read(_MOST_CONFIG_BYTES)))
    except (OSError, ValueError, RecursionError):
        return {}


def _login(entry: Mapping[str, Any]) -> Login | None:
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Login("", token)
    try:
        text = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, secret = text.partition(":")
    return Login(user, secret.rstrip("\0")) if user and colon else None


def _ask_helper(helper: str, key: str) -> Login | None:
    if not helper.replace("-", "").replace("_", "").isalnum():
        return None
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=key.encode(),
            capture_output=True,
            check=True,
            timeout=_HELPER_SECONDS,
        )
        found = _mapping(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError, RecursionError):
        return None
    user, secret = found.get("Username"), found.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    return Login("" if user == "<token>" else user, secret)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
