"""pytest plug-in: published fixtures for tests of a runtime or of bindings.

`wasi_nn_fixture("squeezenet", version="1.0")` returns the fixture's folder, which is shared and
must not be changed. The ini option `wasi_nn_sources` lists the sources of fixtures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest


class FetchFixture(Protocol):
    """Signature of the `wasi_nn_fixture` fixture."""

    def __call__(self, name: str, *, version: str = "", expect: str = "") -> Path:
        """Return the folder of a fixture; ``expect`` is its required root digest."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(
        "wasi_nn_sources",
        "sources of wasi-nn fixtures, in order: https://…, oci://…, s3://…, a folder",
        type="args",
        default=[],
    )


@pytest.fixture(scope="session")
def wasi_nn_fixture(pytestconfig: pytest.Config) -> FetchFixture:
    """Fetch published wasi-nn fixtures, cached across runs; failures are reported as errors."""
    from pipeline.errors import PipelineError
    from pipeline.publish.fetch_release import fetch

    sources = list(pytestconfig.getini("wasi_nn_sources"))

    def fetched(name: str, *, version: str = "", expect: str = "") -> Path:
        try:
            return fetch(name, version=version, sources=sources, expect=expect)
        except PipelineError as error:
            if not sources:
                error.expected = "wasi_nn_sources in pytest's configuration, with a URL or folder"
            pytest.fail(error.render(), pytrace=False)

    return fetched
