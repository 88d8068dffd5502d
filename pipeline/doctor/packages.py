"""The installed packages: whether they fit what we ask of them and what they ask of one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

from pipeline.doctor.apart import NoAnswer, asked
from pipeline.doctor.line import Line, fine, lacking

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NAME = "wasi-nn-pipeline"
_INSTALL = "pip install -e ."
# What each is for is told in pyproject.toml; the other extras are for our own tests.
_EXTRAS = ("buckets", "oci", "dask", "peers")
# Packages of compiled code, which may be there and yet not load.
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


def packages() -> list[Line]:
    """Return a line for each package that we ask for, and one for each extra that is lacking."""
    try:
        asked_for = distribution(NAME).requires or []
    except PackageNotFoundError:
        return [lacking("package", NAME, "not installed in this Python", _INSTALL)]
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return [lacking("package", "packaging", "not installed; versions cannot be read", _INSTALL)]
    requirements = [Requirement(text) for text in asked_for]
    needed = [each for each in requirements if each.marker is None or each.marker.evaluate()]
    with ThreadPoolExecutor(2) as pool:
        lines = list(pool.map(_package, needed))
    return [*lines, *_one_another(needed), *_extras(requirements)]


def _package(requirement: Requirement) -> Line:
    name = requirement.name
    if fault := _fault(requirement):
        return lacking("package", name, fault, f"pip install '{requirement}'")
    version = distribution(name).version
    if module := _MODULES.get(name):
        try:
            asked(f"import {module}")
        except NoAnswer as told:
            fix = f"pip install --force-reinstall '{requirement}'"
            return lacking("package", name, f"{version} does not load: {told}", fix)
    wanted = f", wanted {requirement.specifier}" if requirement.specifier else ""
    return fine("package", name, f"{version}{wanted}")


def _fault(requirement: Requirement) -> str:
    """Return why a requirement is not met, or ''."""
    try:
        version = distribution(requirement.name).version
    except PackageNotFoundError:
        return "not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{version} is installed, {requirement.specifier} is wanted"
    return ""


def _one_another(needed: Sequence[Requirement]) -> Iterator[Line]:
    """Yield a line for each package whose own needs are not met, among all that are reached."""
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
                yield lacking("package", name, f"it needs {requirement.name}: {fault}", fix)
            elif canonicalize_name(requirement.name) not in seen:
                seen.add(canonicalize_name(requirement.name))
                waiting.append(requirement.name)


def _extras(requirements: Sequence[Requirement]) -> Iterator[Line]:
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
            yield lacking("extra", extra, "; ".join(faults), fix, needed=False)
        elif asked_for:
            versions = (f"{each.name} {distribution(each.name).version}" for each in asked_for)
            yield fine("extra", extra, ", ".join(versions))
