"""Which addresses and paths are refused before anything is fetched."""

from __future__ import annotations

import pytest

from pipeline.cache.confined_path import path_fault
from pipeline.config.address_rules import address_fault


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/a/net.caffemodel",
        "https://example.org:8443/a?b=c&d=%20",
        "https://example.org",
        "http://127.0.0.1:8000/a",
        "http://localhost/a",
        "http://[::1]:80/a",
        "file:a/b.png",
        "file:a b.png",
        "pypi:scikit-image==0.26.0#src/skimage/data/page.png",
        "pypi:a==1.0.post1+cpu#b",
    ],
)
def test_a_good_address(address: str) -> None:
    assert address_fault(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a.png",
        "ftp://example.org/a",
        "https:example.org/a",
        "https:///a",
        "https://user:secret@example.org/a",
        "https://example.org/a b",
        "https://example.org/a\n",
        "https://exämple.org/a",
        "https://[oops/a",
        "http://example.org/a",
        "http://127.0.0.1.example.org/a",
        "http://localhost@example.org/a",
        "file:",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "file:../a",
        "file:a/../../b",
        "file:C:\\a",
        "file:a\\..\\b",
        "pypi:a#b",
        "pypi:a==1.0",
        "pypi:a>=1.0#b",
        "pypi:a==*#b",
        "pypi:a==1.0#../b",
        "pypi:a b==1.0#c",
        "pypi:--index-url==1.0#c",
    ],
)
def test_a_bad_address(address: str) -> None:
    assert address_fault(address) != ""


@pytest.mark.parametrize("path", ["a", "a/b", "..a/b..", "variables/variables.data-00000-of-00001"])
def test_a_path_that_stays_inside(path: str) -> None:
    assert path_fault(path) == ""


@pytest.mark.parametrize("path", ["", ".", "..", "a/..", "/a", "a//b", "a/", "C:a", "a\\b", "a\0b"])
def test_a_path_that_could_leave(path: str) -> None:
    assert path_fault(path) != ""
