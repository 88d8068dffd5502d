"""Builds, checks and publishes the artifacts that wasi-nn guests and hosts are tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.telemetry import disable_telemetry

if TYPE_CHECKING:
    from pipeline.publish.fetch_release import fetch

__all__ = ["fetch"]

# Before anything here imports or starts a package that would report.
disable_telemetry()


def __getattr__(name: str) -> Any:
    # Found when it is asked for: whoever imports a room of the pipeline does not pay for others.
    if name == "fetch":
        from pipeline.publish.fetch_release import fetch

        return fetch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
