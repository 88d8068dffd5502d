"""Where a step's tool lives: beside us, or in a locked environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.graph.layout import Layout
from pipeline.toolchain.environment import TOOLCHAINS, installed


@dataclass(frozen=True)
class Tool:
    """A tool in a step's own words (``converter``): its packages here, or else its toolchain."""

    label: str
    packages: tuple[str, ...]
    toolchain: str | None

    def inputs(self, layout: Layout) -> Mapping[str, Path]:
        """Return what the step reads of it."""
        if self.toolchain is None:
            return {}
        return {f"{self.label}.stamp": layout.stamp(self.toolchain)}

    def unkeyed(self, layout: Layout) -> Mapping[str, object]:
        """Return how the step reaches it."""
        if self.toolchain is None:
            return {}
        return {f"{self.label}.environment": layout.environment(self.toolchain)}


def tool(label: str, toolchain: str | None, *packages: str) -> Tool:
    """Return a tool that lives in ``toolchain``, or whose ``packages`` are installed here."""
    if toolchain is None:
        return Tool(label, packages, None)
    known = TOOLCHAINS[toolchain]
    if known.package and installed(known):
        return Tool(label, (known.package,), None)
    return Tool(label, (), toolchain)
