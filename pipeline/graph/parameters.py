"""A config's table as parameters of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


def to_parameters(value: msgspec.Struct) -> dict[str, Any]:
    """Return a config's table as plain data, without empty values."""
    found: Mapping[str, Any] = msgspec.to_builtins(value)
    return {name: item for name, item in found.items() if item not in (None, (), [], {}, "")}
