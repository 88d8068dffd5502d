"""A server of the test's own, and an environment without proxies or other indexes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.source.site import Site, serving

_SETTINGS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server on loopback that answers 404 until it is told otherwise."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    # A proxy that is not there: whoever asks it for something on this machine fails.
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving() as site:
        yield site
