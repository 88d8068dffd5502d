"""The versions of the installed packages that steps use."""

from __future__ import annotations

from functools import cache

from pipeline.errors import Code, PipelineError


@cache
def tool_version(package: str) -> str:
    """Return the installed version of a package, which is part of what it makes."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        raise PipelineError(
            Code.TOOLCHAIN,
            f"The package {package} is not installed.",
            hint=f"Install it: pip install {package}",
        ) from None
