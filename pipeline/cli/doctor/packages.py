"""The installed packages: versions against our requirements and each other's, and imports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.cli.doctor.check import CheckResult, failed, passed
from pipeline.cli.doctor.subprocess_probe import ProbeError, probe
from pipeline.cli.extras import DISTRIBUTION, PARTS, install_command, requirements

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# pyproject.toml says what each is for.
_EXTRAS = ("hub", "buckets", "sign", "dask", "peers")
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


def packages(*, building: bool) -> list[CheckResult]:
    """Return a line for each required package, and one for each extra.

    For ``building`` fixtures, those of the extra ``build`` are required too.
    """
    try:
        distribution(DISTRIBUTION)
    except PackageNotFoundError:
        fix = install_command("build")
        return [failed("package", DISTRIBUTION, "not installed in this Python", fix)]
    if find_spec("packaging") is None:
        problem = "not installed; cannot check versions"
        return [failed("package", "packaging", problem, install_command("build"))]
    needed = {each.name: each for each in requirements()}
    if building:
        needed |= {each.name: each for each in requirements("build")}
    with ThreadPoolExecutor(2) as pool:
        lines = list(pool.map(_package, needed.values()))
    extras = _EXTRAS if building else (*PARTS, *_EXTRAS)
    return [*lines, *_one_another([*needed.values()]), *_extras(extras)]


def _package(requirement: Requirement) -> CheckResult:
    name = requirement.name
    if fault := _fault(requirement):
        return failed("package", name, fault, f"pip install '{name}{requirement.specifier}'")
    version = distribution(name).version
    if module := _MODULES.get(name):
        try:
            probe(f"import {module}")
        except ProbeError as problem:
            fix = f"pip install --force-reinstall '{name}{requirement.specifier}'"
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


def _extras(extras: Sequence[str]) -> Iterator[CheckResult]:
    for extra in extras:
        asked_for = [*requirements(extra)]
        faults = [f"{each.name}: {fault}" for each in asked_for if (fault := _fault(each))]
        if faults:
            fix = install_command(extra)
            yield failed("extra", extra, "; ".join(faults), fix, needed=False)
        elif asked_for:
            versions = (f"{each.name} {distribution(each.name).version}" for each in asked_for)
            yield passed("extra", extra, ", ".join(versions))
