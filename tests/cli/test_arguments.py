"""What a mistyped command line is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fork_server import wasi_nn


def test_without_a_command_the_help_is_printed(tmp_path: Path) -> None:
    done = wasi_nn(cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == wasi_nn("--help", cwd=tmp_path).stdout
    assert "download and verify a published fixture" in done.stdout


@pytest.mark.parametrize(
    ("given", "usage", "told"),
    [
        (["fech"], "wasi-nn [-h]", "unknown command 'fech'; did you mean 'fetch'?"),
        (["qqq"], "wasi-nn [-h]", "unknown command 'qqq'\n"),
        (["fetch", "a", "--form", "b"], "wasi-nn fetch", "--form b; did you mean '--from'?"),
        (["tensor", "--dimz=1"], "wasi-nn tensor", "the following arguments are required"),
        (["validate", ".", "--qqq"], "wasi-nn validate", "unrecognized arguments: --qqq\n"),
    ],
)
def test_a_mistake_has_the_usage_of_its_command_and_a_suggestion(
    tmp_path: Path, given: list[str], usage: str, told: str
) -> None:
    done = wasi_nn(*given, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"usage: {usage}")
    assert told in done.stderr


def test_what_follows_two_dashes_is_the_guests(tmp_path: Path) -> None:
    done = wasi_nn("run", "none.wasm", "--", "--form", cwd=tmp_path)
    assert done.returncode == 1
    assert "none.wasm" in done.stderr
