"""The guest ``classify``, compiled once for the session, and a way to run it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import wasmtime

from tests.guest.compiling import Built, compile_classify
from tests.guest.running import GOOD, Run
from tests.guest.scripted_host import Ended, ScriptedHost


@pytest.fixture(scope="session")
def classify(tmp_path_factory: pytest.TempPathFactory, toolchains: Path) -> Built:
    """The guest of the default fixtures."""
    return compile_classify(tmp_path_factory.mktemp("classify") / "built", toolchains)


@pytest.fixture(scope="session")
def engine() -> wasmtime.Engine:
    return wasmtime.Engine()


@pytest.fixture(scope="session")
def module(engine: wasmtime.Engine, classify: Built) -> wasmtime.Module:
    return wasmtime.Module(engine, classify.wasm.read_bytes())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fixture's folder and an empty ``out``."""
    (tmp_path / "out").mkdir()
    fixture = tmp_path / "fixture"
    fixture.mkdir()
    (fixture / "fixture.txt").write_text(GOOD)
    (fixture / "m.xml").write_bytes(b"<net/>")
    (fixture / "m.bin").write_bytes(b"weights")
    (fixture / "cat.raw").write_bytes(struct.pack("<2f", 1, 2))
    return tmp_path


@pytest.fixture
def run(module: wasmtime.Module, engine: wasmtime.Engine, folder: Path) -> Run:
    def run_guest(host: ScriptedHost, *args: str, text: str | bytes | None = None) -> Ended:
        if text is not None:
            data = text.encode() if isinstance(text, str) else text
            (folder / "fixture" / "fixture.txt").write_bytes(data)
        return host.run(module, engine, folder, *args)

    return run_guest
