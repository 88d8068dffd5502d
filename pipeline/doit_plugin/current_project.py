"""The engine of the dodo.py that was loaded, for the commands that doit finds by entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.doit_plugin.engine import Engine

_engines: list[Engine] = []


def set_current(engine: Engine) -> None:
    """Make it the present engine."""
    _engines[:] = [engine]


def current_engine() -> Engine:
    """Return the present engine; doit has loaded dodo.py by the time a command runs."""
    return _engines[0]
