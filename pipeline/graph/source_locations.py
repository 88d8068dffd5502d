"""The table of a config that declares a step, and the line where it begins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.execution.action import Declaration

if TYPE_CHECKING:
    from pipeline.config.load_project import Configs


def fixture_table(configs: Configs, fixture: str, *table: str) -> Declaration:
    """Return the declaration by a fixture's table, or by ``[variant.NAME]`` for a variant."""
    whole = configs.variant_of.get(fixture, fixture)
    variant = ("variant", fixture.removeprefix(f"{whole}-"))
    return Declaration(f"configs/fixtures/{whole}.toml", table if whole == fixture else variant)


def shared_table(configs: Configs, fixture: str, *table: str) -> Declaration:
    """Return the declaration by a table that a fixture shares with its variants."""
    return fixture_table(configs, configs.variant_of.get(fixture, fixture), *table)


def source_location(root: Path, declared: Declaration) -> str:
    """Return ``file:line`` of the table that declares a step, or the file as far as known."""
    from pipeline.config.toml_lines import key_lines, line_of

    if not declared.table:
        return declared.file
    try:
        lines = key_lines((root / declared.file).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return declared.file
    return f"{declared.file}:{line_of(lines, declared.table)}"
