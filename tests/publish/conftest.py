"""A small fixture's folder, and each place that it can be published to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.publish.places import PLACES, Place


@pytest.fixture
def fixture_folder(tmp_path: Path) -> Path:
    """A folder as a fixture's: the files need not be what their names say."""
    folder = tmp_path / "work" / "tiny"
    for name, data in {
        "manifest.json": b"{}\n",
        "tiny.xml": b"<net/>" * 50,
        "tiny.bin": bytes(range(256)) * 1000,
        # The same bytes under a second name, as named graphs want them.
        "model.bin": bytes(range(256)) * 1000,
        "classify.wasm": b"\0asm\1\0\0\0",
        "test_data_set_0/input_0.pb": b"\x08\x01",
        "evidence/red/sandbox/probabilities.raw": b"\0" * 16,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture(params=list(PLACES))
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Each place in turn."""
    made: Any = PLACES[request.param]
    with made(tmp_path / "place") as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and no login of the person who runs the tests."""
    monkeypatch.setenv("WASI_NN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache"
