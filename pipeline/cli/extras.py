"""The optional parts of this package (extras): what each requires, and how to install it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "wasi-nn-pipeline"
# The smallest first.
PARTS = ("run", "convert", "build")
EXTRAS = (*PARTS, "hub", "buckets", "sign", "dask", "peers")
_MODULES = {"run": ("openvino",), "convert": ("openvino", "PIL", "onnxruntime")}
# Where the name of the import is not that of the distribution.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "google": "model-signing",
}


@dataclass(frozen=True)
class Installation:
    """How this package was installed (PEP 610): from an index, an address, or a local path."""

    version: str
    url: str = ""
    editable: bool = False

    def requirement(self, extra: str) -> str:
        """Return the requirement for pip of this package with an extra."""
        name = f"{DISTRIBUTION}[{extra}]"
        return f"{name} @ {self.url}" if self.url else f"{name}=={self.version}"

    def command(self, extra: str) -> str:
        """Return the command that installs an extra.

        >>> Installation("1.0").command("run")
        "pip install 'wasi-nn-pipeline[run]==1.0'"
        """
        if self.editable:
            return f"pip install -e '{self.url.removeprefix('file://')}[{extra}]'"
        return f"pip install '{self.requirement(extra)}'"


def installation() -> Installation:
    """Return how this package was installed; raises PackageNotFoundError."""
    distribution = metadata.distribution(DISTRIBUTION)
    origin = distribution.read_text("direct_url.json")
    if origin is None:
        return Installation(distribution.version)
    found = json.loads(origin)
    url = str(found["url"])
    if at := found.get("vcs_info"):
        url = f"{at['vcs']}+{url}@{at['commit_id']}"
    editable = bool(found.get("dir_info", {}).get("editable"))
    return Installation(distribution.version, url, editable)


def install_command(extra: str) -> str:
    """Return the command that installs an extra, also where this package is not installed."""
    try:
        return installation().command(extra)
    except metadata.PackageNotFoundError:
        return f"pip install -e '.[{extra}]'"


def require(extra: str) -> None:
    """Raise PipelineError (TOOLCHAIN) if a package of an extra is not installed.

    For commands whose work is done in other processes, which would fail one by one.
    """
    missing = [each for each in _MODULES[extra] if find_spec(each) is None]
    if missing:
        raise missing_package(missing[0], extra)


def missing_package(module: str, extra: str) -> PipelineError:
    """Return the error for a module that is not installed, and that an extra brings."""
    return PipelineError(
        Code.TOOLCHAIN,
        f"This command needs the package {module}, which is not installed.",
        hint=f"Install it: {install_command(extra)}; `wasi-nn doctor` shows what else is missing",
    )


def requirements(extra: str = "") -> Iterator[Requirement]:
    """Yield what an extra adds to the base package, or what the base package requires.

    Raises PackageNotFoundError where this package is not installed.
    """
    from packaging.requirements import Requirement

    for each in map(Requirement, metadata.distribution(DISTRIBUTION).requires or []):
        base = each.marker is None or each.marker.evaluate({"extra": ""})
        if base != (extra == "") or (each.marker and not each.marker.evaluate({"extra": extra})):
            continue
        if each.name == DISTRIBUTION:
            for part in sorted(each.extras):
                yield from requirements(part)
        else:
            yield each


def extra_of(module: str) -> str | None:
    """Return the smallest extra that brings an importable module; '' for the base package."""
    from packaging.utils import canonicalize_name

    name = module.partition(".")[0]
    wanted = canonicalize_name(_DISTRIBUTIONS.get(name, name))
    for extra in ("", *EXTRAS):
        if any(canonicalize_name(each.name) == wanted for each in requirements(extra)):
            return extra
    return None
