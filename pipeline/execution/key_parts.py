"""What the key of an action is a hash of, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.execution.action import Action
from pipeline.execution.tool_version import tool_version

if TYPE_CHECKING:
    from pipeline.execution.recipe_code import RecipeCodes


def static_parts(action: Action, codes: RecipeCodes) -> dict[str, Any]:
    """Return the parts of the key that do not depend on inputs or tool versions."""
    return {
        "recipe": f"{action.recipe.__module__}.{action.recipe.__qualname__}",
        "code": codes.of(action.recipe).sha256,
        "tools": list(action.tools),
        "parameters": dict(action.parameters),
        "outputs": {label: path.name for label, path in action.outputs.items()},
    }


def key_parts(declared: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, Any]:
    """Return what a key is a hash of; ``inputs`` are the SHA-256 digests by their labels."""
    tools = {tool: tool_version(tool) for tool in declared["tools"]}
    return {**declared, "tools": tools, "inputs": dict(inputs)}
