"""A pytest plug-in: published fixtures for the tests of a runtime or of bindings.

`wasi_nn_fixture("squeezenet", version="1.0")` returns the fixture's folder, which is shared and not
to be changed. The ini option `wasi_nn_sources` lists where fixtures come from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest


class FetchFixture(Protocol):
    """How a test asks for a fixture."""

    def __call__(self, name: str, *, version: str = "", expect: str = "") -> Path:
        """Return the folder of a fixture; ``expect`` is the root digest that it must have."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addini(
        "wasi_nn_sources",
        "where wasi-nn fixtures are fetched from, in order: https://…, oci://…, s3://…, a folder",
        type="args",
        default=[],
    )


@pytest.fixture(scope="session")
def wasi_nn_fixture(pytestconfig: pytest.Config) -> FetchFixture:
    """Fetch published wasi-nn fixtures, once for all runs; an error tells what is wrong."""
    from pipeline.errors import PipelineError
    from pipeline.publish.fetch import fetch

    sources = list(pytestconfig.getini("wasi_nn_sources"))

    def fetched(name: str, *, version: str = "", expect: str = "") -> Path:
        try:
            return fetch(name, version=version, sources=sources, expect=expect)
        except PipelineError as error:
            pytest.fail(error.render(), pytrace=False)

    return fetched
