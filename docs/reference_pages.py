"""A Sphinx extension that writes the reference from the code, before the pages are read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from pipeline.cli.main import command_line
from pipeline.config.json_schema import schemas
from pipeline.config.key_docs import key_docs
from pipeline.errors import Code
from pipeline.publish.release.manifest_schema import schema

_FOLDER = "reference"
_MADE = "% Made from the code by reference_pages.py.\n\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written when a build begins."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / _FOLDER))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(folder: Path) -> None:
    """Write every page of the reference; one whose text is the same keeps its time."""
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        path, text = folder / f"{name}.md", _MADE + page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def errors() -> str:
    """Return the page of the errors' codes."""
    docs = key_docs(Code)
    rows = [f"| `{code.value}` | {docs[code.name]} |" for code in Code]
    return "\n".join(
        [
            "# Errors",
            "",
            "Every error begins with its code in brackets, `error[tensor]: …`; what a code means",
            "does not change, so scripts may match on it. Below it stands where it is, what was",
            "expected and found, and what to do.",
            "",
            "| code | what it means |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def configs() -> str:
    """Return the page of the configs: every table, and every key with its form and default."""
    lines = ["# Configs", "", "TOML files under `configs/`. An unknown key is an error.", ""]
    for kind, described in schemas().items():
        where = "configs/project.toml" if kind == "project" else f"configs/{kind}s/NAME.toml"
        lines += [f"## {kind.capitalize()}: `{where}`", ""]
        lines += _table(described, kind)
        for name, table in sorted(described.get("$defs", {}).items()):
            lines += [f"({_anchor(kind, name)})=", "", f"### {name}", "", *_table(table, kind)]
    return "\n".join(lines)


def manifest() -> str:
    """Return the page of ``manifest.json``."""
    described = schema()
    lines = ["# The manifest", "", *_table(described, "manifest")]
    for name, table in sorted(described["$defs"].items()):
        lines += [f"({_anchor('manifest', name)})=", "", f"## {name}", ""]
        lines += _table(table, "manifest")
    return "\n".join(lines)


def commands() -> str:
    """Return the page of every command: those of ``wasi-nn``, then ours of ``doit``."""
    lines = ["# Commands", "", "## wasi-nn", ""]
    for name, parser in _subcommands(command_line()).items():
        lines += [f"### wasi-nn {name}", "", _text(parser.description or ""), ""]
        lines += ["```text", _usage(parser), "```", "", "| | |", "|---|---|"]
        lines += [f"| {_given(action)} | {_help(action)} |" for action in _arguments(parser)]
        lines += ["", *(["```text", parser.epilog, "```", ""] if parser.epilog else [])]
    lines += [
        "## doit",
        "",
        "What this project adds to doit's own commands, and those whose errors it tells; each has "
        "`--help`, and `doit help` tells of all.",
        "",
    ]
    for name, command in _doit_commands():
        lines += [
            f"### doit {name}",
            "",
            f"`doit {name} {command.doc_usage or ''}`".replace(" `", "`"),
        ]
        lines += [
            "",
            _text(f"{command.doc_purpose.capitalize()}. {command.doc_description or ''}"),
            "",
        ]
        options = [each for each in command.cmd_options if each.get("help")]
        if options:
            lines += ["| | |", "|---|---|"]
            lines += [f"| `{_option(each)}` | {_cell(each['help'])} |" for each in options]
            lines.append("")
    return "\n".join(lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "configs": configs,
    "errors": errors,
    "manifest": manifest,
}


def _table(table: Mapping[str, Any], kind: str) -> list[str]:
    lines = [_text(table.get("description", "")), ""]
    properties = table.get("properties", {})
    if properties:
        required = set(table.get("required", ()))
        lines += ["| key | form | | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{key}` | {_form(value, kind)} | {_default(value, key in required)} | "
            f"{_cell(value.get('description', ''))} |"
            for key, value in properties.items()
        ]
        lines.append("")
    return lines


def _form(value: Mapping[str, Any], kind: str) -> str:
    """Return what a value may be, in the words of TOML and JSON."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(kind, name)})"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "anyOf" in value:
        return " or ".join(_form(each, kind) for each in value["anyOf"])
    match value.get("type"):
        case "array":
            items = value.get("items") or {"type": "value"}
            return f"list of {_form(items, kind)}"
        case "object" if isinstance(value.get("additionalProperties"), Mapping):
            return f"table of {_form(value['additionalProperties'], kind)}"
        case str(name):
            return {"object": "table", "string": "text", "integer": "whole number"}.get(name, name)
        case _:
            return "value"


def _default(value: Mapping[str, Any], required: bool) -> str:
    if required:
        return "**needed**"
    if value.get("default") in (None, "", [], {}):
        return ""
    shown = value["default"]
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _anchor(kind: str, name: str) -> str:
    return f"{kind}-{name}".lower()


def _subcommands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    [found] = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


def _usage(parser: argparse.ArgumentParser) -> str:
    return parser.format_usage().removeprefix("usage: ").rstrip()


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (each for each in parser._actions if each.help != argparse.SUPPRESS)


def _given(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    if not action.option_strings:
        return f"`{metavar or action.dest}`"
    choices = action.choices and "{" + ",".join(map(str, action.choices)) + "}"
    takes = "" if action.nargs == 0 else f" {metavar or choices or action.dest.upper()}"
    return ", ".join(f"`{each}{takes}`" for each in action.option_strings)


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%(default)s", str(action.default))
    return _cell(text.replace("%%", "%"))


def _doit_commands() -> Sequence[tuple[str, Any]]:
    points = distribution("wasi-nn-pipeline").entry_points.select(group="doit.COMMAND")
    return sorted((point.name, point.load()) for point in points)


def _option(option: Mapping[str, Any]) -> str:
    return f"--{option['long']}" + ("" if option["type"] is bool else "=…")


def _cell(text: str) -> str:
    return _text(" ".join(text.split())).replace("|", "\\|")


def _text(text: str) -> str:
    """Return prose as Markdown that says the same: nothing in it is markup but code."""
    parts = re.split(r"(`[^`]*`)", text.replace("``", "`"))
    return "".join(
        each if index % 2 else re.sub(r"([<*_\[\]{}$~])", r"\\\1", each)
        for index, each in enumerate(parts)
    )
