"""A config's table as a step's parameters hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def to_parameters(value: msgspec.Struct) -> dict[str, Any]:
    """Return a config's table as plain data, without what it leaves out."""
    found: Mapping[str, Any] = msgspec.to_builtins(value)
    return {name: item for name, item in found.items() if item not in (None, (), [], {}, "")}
