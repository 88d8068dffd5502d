"""A missing program skips what needs it, with the package's name, and fails in CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import missing_programs, require_program


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on the PATH, which is empty."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "sbin").mkdir()
    return tmp_path


def install(folder: Path, name: str, script: str = "") -> str:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_a_missing_program_skips_and_names_its_package(bare: Path) -> None:
    install(bare / "bin", "openssl")
    with pytest.raises(pytest.skip.Exception) as skipped:
        require_program("openssl", "htpasswd")
    assert str(skipped.value) == "needs htpasswd (apt-get install apache2-utils)"


def test_in_ci_it_fails(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="fish is missing: apt-get install fish"):
        require_program("fish")


def test_a_server_beside_the_path_is_found(bare: Path) -> None:
    nginx = install(bare / "sbin", "nginx")
    assert require_program("nginx") == nginx


def test_rust_is_complete_with_its_standard_library_and_its_linker_alone(bare: Path) -> None:
    names = "rustc", "wasm-std", "rust-lld"
    library = bare / "lib/rustlib/wasm32-wasi/lib"
    rustc = install(bare / "bin", "rustc", f'[ "$4" = wasm32-wasi ] && echo "{library}"')
    missing = []
    for path in (library / "libstd-1.rlib", library.parents[1] / "x86_64/bin/rust-lld"):
        with pytest.raises(pytest.skip.Exception) as skipped:
            require_program(*names)
        missing.append(str(skipped.value).split()[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert missing == ["wasm-std", "rust-lld"]
    assert require_program(*names) == rustc


def test_the_summary_ends_with_what_was_missing(
    pytester: pytest.Pytester, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest("from tests.conftest import *")
    pytester.makeini("[pytest]\nmarkers = needs: programs")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.needs("zsh")
        def test_one(): raise AssertionError

        @pytest.mark.needs("nginx", "curl")
        def test_two(): raise AssertionError

        def test_three(): pytest.skip("not today")

        @pytest.mark.needs("zsh")
        class TestMore:
            def test_four(self): raise AssertionError
        """
    )
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=4)
    assert result.outlines[-2] == (
        "3 tests skipped for want of programs: nginx 1, zsh 2 (apt-get install nginx zsh)"
    )
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest()
    result.assert_outcomes(errors=3, skipped=1)
    result.stdout.fnmatch_lines(["*zsh is missing: apt-get install zsh*"])


def test_other_skips_are_not_counted() -> None:
    assert missing_programs(["Skipped: not today", "Skipped: needs rest"]) == ""
