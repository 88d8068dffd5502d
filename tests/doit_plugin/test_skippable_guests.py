"""A guest whose compiler is not installed is left out where nothing needs it, and told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import Project

GUEST = """\
description = "a guest in Rust"
language = "rust"
sources = ["guests/classify-rust/classify.rs"]
headers = ["guests/wasi-nn-rust/wasi_nn.rs"]
"""
HINT = "apt-get install rustc libstd-rust-dev-wasm32 lld-14"


@pytest.fixture
def without_rust(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The small project with a guest in Rust, on a machine without it."""
    (project.root / "configs/guests/rusty.toml").write_text(GUEST)
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    return project


def test_of_all_guests_it_is_left_out_and_the_others_are_built(without_rust: Project) -> None:
    source = without_rust.root / "guests/classify/top_five.c"
    source.write_text(
        source.read_text() + "\nint one_more(void);\nint one_more(void) { return 1; }"
    )
    run = without_rust.doit("guest")
    assert run.returncode == 0, run.output
    assert "] guest:rusty SKIPPED" in run.output
    assert HINT in run.output
    assert run.steps("built") == {"guest:classify"}
    assert "\n0 cases verified, 1 skipped\n" in run.output
    skipped = "skipped guest:rusty: error[toolchain]: No Rust compiler with a WASI target"
    assert skipped in run.output


def test_it_is_told_of_each_time(without_rust: Project) -> None:
    for _ in range(2):
        run = without_rust.doit("guest")
        assert (run.returncode, run.steps("built")) == (0, set())
        assert "] guest:rusty SKIPPED" in run.output


def test_in_ci_it_is_a_failure(without_rust: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    run = without_rust.doit("guest")
    assert run.returncode == 1
    assert run.steps("FAILED") == {"guest:rusty"}
    assert HINT in run.output


def test_named_by_itself_it_is_a_failure(without_rust: Project) -> None:
    run = without_rust.doit("guest:rusty")
    assert run.returncode == 1
    assert run.steps("FAILED") == {"guest:rusty"}


def test_where_a_fixture_needs_it_it_is_a_failure(without_rust: Project) -> None:
    without_rust.edit('program = "classify"', 'program = "rusty"')
    run = without_rust.doit()
    assert run.returncode == 1
    assert run.steps("FAILED") == {"guest:rusty"}
    assert "not run manifest:tiny" in run.output


def test_another_fault_of_its_build_is_a_failure(
    without_rust: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (without_rust.root / "configs/guests/rusty.toml").write_text(
        GUEST.replace('"rust"', '"c"').replace("headers", "# headers")
    )
    run = without_rust.doit("guest")
    assert run.returncode == 1
    assert run.steps("FAILED") == {"guest:rusty"}
