"""The configs as doit tasks: the only room that knows doit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.doit_plugin.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> object:
    # `doit doctor` must come this far where the packages that Engine needs are missing.
    if name == "Engine":
        from pipeline.doit_plugin.engine import Engine

        return Engine
    raise AttributeError(name)
