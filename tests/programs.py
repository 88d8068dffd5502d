"""Programs beyond Python and git that some tests need: where one is missing, its tests are skipped.

A test says so by the marker ``needs``, a fixture by calling ``require_program``. Where the
environment variable CI is set, a missing program fails the test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

# The Debian package of each.
PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "docker-registry": "docker-registry",
    "fish": "fish",
    "htpasswd": "apache2-utils",
    "nginx": "nginx",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "qemu-x86_64": "qemu-user",
    "rust-lld": "lld-14",
    "rustc": "rustc",
    "skopeo": "skopeo",
    "unshare": "util-linux",
    "wasm-std": "libstd-rust-dev-wasm32",
    "zsh": "zsh",
}
# What a compiler of guests needs, by its language; the others come with Python packages.
COMPILERS = {"assemblyscript": ("node", "npm"), "rust": ("rustc", "wasm-std", "rust-lld")}
_TARGETS = ("wasm32-wasip1", "wasm32-wasi")
_SKIP = "needs "


def find_program(name: str) -> str | None:
    """Return the path of a program, or None where it is missing.

    Beside each ``bin`` of the PATH, its ``sbin`` is looked into: servers lie there, and not on the
    PATH of every user. ``wasm-std`` is Rust's standard library for WASI.
    """
    path = os.environ.get("PATH", os.defpath)
    if name == "wasm-std":
        return _wasm_std(path)
    if name == "rust-lld" and (library := _wasm_std(path)):
        linkers = Path(library).parents[1].glob("*/bin/rust-lld")
        if found := next(linkers, None):
            return str(found)
    if name == "chromium":
        return shutil.which(name) or shutil.which("google-chrome")
    beside = [str(Path(each).with_name("sbin")) for each in path.split(os.pathsep) if each]
    return shutil.which(name, path=os.pathsep.join([path, *beside]))


def require_program(*names: str) -> str:
    """Return the path of the first program; where one is missing, skip the test, or in CI fail."""
    found = {name: find_program(name) for name in names}
    for name, program in found.items():
        if program is None:
            package = PACKAGES[name]
            if os.environ.get("CI"):
                pytest.fail(f"{name} is missing: apt-get install {package}", pytrace=False)
            pytest.skip(f"{_SKIP}{name} (apt-get install {package})")
    program = found[names[0]]
    assert program
    return program


def missing_programs(reasons: Iterable[str]) -> str:
    """Return one line on the tests that were skipped for want of a program; empty if none was.

    >>> missing_programs(["Skipped: needs zsh (apt-get install zsh)", "Skipped: no mount"])
    '1 test skipped for want of programs: zsh 1 (apt-get install zsh)'
    """
    counts: Counter[str] = Counter()
    for reason in reasons:
        name = reason.removeprefix("Skipped: ").removeprefix(_SKIP).partition(" ")[0]
        if reason.startswith(f"Skipped: {_SKIP}") and name in PACKAGES:
            counts[name] += 1
    if not counts:
        return ""
    named = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    packages = " ".join(sorted({PACKAGES[name] for name in counts}))
    total = counts.total()
    tests = "test" if total == 1 else "tests"
    return f"{total} {tests} skipped for want of programs: {named} (apt-get install {packages})"


def _wasm_std(path: str) -> str | None:
    """Return the standard library for WASI of the first rustc that has one."""
    toolchains = Path.home().glob(".rustup/toolchains/*/bin")
    for folder in (*map(Path, path.split(os.pathsep)), *sorted(toolchains)):
        for target in _TARGETS:
            asked = [str(folder / "rustc"), "--print", "target-libdir", "--target", target]
            try:
                said = subprocess.run(asked, capture_output=True, text=True, check=False)
            except OSError:
                break
            library = Path(said.stdout.strip())
            if said.returncode == 0 and any(library.glob("libstd-*.rlib")):
                return str(library)
    return None
