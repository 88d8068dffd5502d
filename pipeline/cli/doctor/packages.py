"""The installed packages: versions against our requirements and each other's, and imports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.cli.doctor.subprocess_probe import ProbeError, probe

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "wasi-nn-pipeline"
_INSTALL = "pip install -e ."
# pyproject.toml says what each is for; the other extras are for our own tests.
_EXTRAS = ("buckets", "dask", "peers")
# Packages with compiled code, which may be installed and still fail to load.
_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "msgspec": "msgspec",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "opencv-python-headless": "cv2",
    "openvino": "openvino",
    "pillow": "PIL.Image",
    "tree-sitter": "tree_sitter",
    "wasmtime": "wasmtime",
}


def packages() -> list[CheckResult]:
    """Return a line for each required package, and one for each extra."""
    try:
        asked_for = distribution(NAME).requires or []
    except PackageNotFoundError:
        return [failed("package", NAME, "not installed in this Python", _INSTALL)]
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [failed("package", "packaging", "not installed; cannot check versions", _INSTALL)]
    requirements = [Requirement(text) for text in asked_for]
    needed = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    with ThreadPoolExecutor(2) as pool:
        lines = list(pool.map(_package, needed))
    return [*lines, *_one_another(needed), *_extras(requirements)]


def _package(requirement: Requirement) -> CheckResult:
    name = requirement.name
    if fault := _fault(requirement):
        return failed("package", name, fault, f"pip install '{requirement}'")
    version = distribution(name).version
    if module := _MODULES.get(name):
        try:
            probe(f"import {module}")
        except ProbeError as problem:
            fix = f"pip install --force-reinstall '{requirement}'"
            return failed("package", name, f"{version} does not load: {problem}", fix)
    required = f", required {requirement.specifier}" if requirement.specifier else ""
    return passed("package", name, f"{version}{required}")


def _fault(requirement: Requirement) -> str:
    """Return why a requirement is not met, or ''."""
    try:
        version = distribution(requirement.name).version
    except PackageNotFoundError:
        return "not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{version} is installed, {requirement.specifier} is required"
    return ""


def _one_another(needed: Sequence[Requirement]) -> Iterator[CheckResult]:
    """Yield a line for each unmet requirement of an installed package, transitively."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    waiting = [requirement.name for requirement in needed if not _fault(requirement)]
    seen = {canonicalize_name(name) for name in waiting}
    while waiting:
        name = waiting.pop()
        for requirement in map(Requirement, distribution(name).requires or []):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            if fault := _fault(requirement):
                fix = f"pip install '{requirement.name}{requirement.specifier}'"
                yield failed("package", name, f"requires {requirement.name}: {fault}", fix)
            elif canonicalize_name(requirement.name) not in seen:
                seen.add(canonicalize_name(requirement.name))
                waiting.append(requirement.name)


def _extras(requirements: Sequence[Requirement]) -> Iterator[CheckResult]:
    for extra in _EXTRAS:
        asked_for = [
            each
            for each in requirements
            if each.marker is not None
            and not each.marker.evaluate({"extra": ""})
            and each.marker.evaluate({"extra": extra})
        ]
        faults = [f"{each.name}: {fault}" for each in asked_for if (fault := _fault(each))]
        if faults:
            fix = f"pip install -e '.[{extra}]'"
            yield failed("extra", extra, "; ".join(faults), fix, needed=False)
        elif asked_for:
            versions = (f"{each.name} {distribution(each.name).version}" for each in asked_for)
            yield passed("extra", extra, ", ".join(versions))
