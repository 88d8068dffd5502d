"""The tool of a step: installed packages, or a locked environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.graph.layout import Layout
from pipeline.toolchain.environment import TOOLCHAINS, installed


@dataclass(frozen=True)
class Tool:
    """A tool by its label (``converter``): its installed packages, or else its toolchain."""

    label: str
    packages: tuple[str, ...]
    toolchain: str | None

    def inputs(self, layout: Layout) -> Mapping[str, Path]:
        """Return the inputs of the step that belong to it."""
        if self.toolchain is None:
            return {}
        return {f"{self.label}.stamp": layout.stamp(self.toolchain)}

    def unkeyed(self, layout: Layout) -> Mapping[str, object]:
        """Return the unkeyed inputs by which the step runs it."""
        if self.toolchain is None:
            return {}
        return {f"{self.label}.environment": layout.environment(self.toolchain)}


def tool(label: str, toolchain: str | None, *packages: str) -> Tool:
    """Return a tool in ``toolchain``, or one whose ``packages`` are installed here."""
    if toolchain is None:
        return Tool(label, packages, None)
    known = TOOLCHAINS[toolchain]
    if known.package and installed(known):
        return Tool(label, (known.package,), None)
    return Tool(label, (), toolchain)
