"""Find the line of a key in a TOML file; used only to report errors.

tomllib keeps no positions, so the text is parsed again with tree-sitter's TOML grammar.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.config.wording import Path

if TYPE_CHECKING:
    from tree_sitter import Node

_KEYS = frozenset({"bare_key", "quoted_key", "dotted_key"})


def key_lines(text: str) -> Mapping[Path, int]:
    r"""Return the line, from 1, of every key path of a TOML text that tomllib accepts.

    Array elements are numbered: ``("urls", "1")`` is the second. A table has the line of its
    header, or of its first mention; the file itself, ``()``, has line 1.

    >>> lines = key_lines('[model]\ninputs."a b" = { shape = [\n  1,\n  3,\n] }')
    >>> lines["model", "inputs", "a b", "shape", "1"]
    4
    """
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
    lines: dict[Path, int] = {(): 1}
    elements: dict[Path, int] = {}
    for node in tree.root_node.named_children:
        if node.type == "pair":
            _add_pair(lines, (), node)
        elif node.type in ("table", "table_array_element"):
            _add_table(lines, elements, node)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of ``path``, or of its nearest parent that has one."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _add_table(lines: dict[Path, int], elements: dict[Path, int], table: Node) -> None:
    header = next(node for node in table.named_children if node.type in _KEYS)
    line = _line(header)
    path: Path = ()
    *outer, last = _parts(header)
    for part in outer:
        path = _entered(elements, (*path, part))
        _mention(lines, path, line)
    path = (*path, last)
    if table.type == "table_array_element":
        _mention(lines, path, line)
        elements[path] = elements.get(path, -1) + 1
        path = _entered(elements, path)
    lines[path] = line
    for node in table.named_children:
        if node.type == "pair":
            _add_pair(lines, path, node)


def _entered(elements: Mapping[Path, int], path: Path) -> Path:
    """Return where a header through ``path`` leads: into an array's last table."""
    return (*path, str(elements[path])) if path in elements else path


def _add_pair(lines: dict[Path, int], table: Path, pair: Node) -> None:
    # A stack instead of recursion, as deep as tomllib allows nesting.
    pending = [(table, pair)]
    while pending:
        path, node = pending.pop()
        if node.type == "pair":
            key, value = (child for child in node.named_children if child.type != "comment")
            for part in _parts(key):
                path = (*path, part)
                _mention(lines, path, _line(key))
            pending.append((path, value))
        elif node.type == "inline_table":
            pending += [(path, child) for child in _values(node)]
        elif node.type == "array":
            for index, child in enumerate(_values(node)):
                _mention(lines, (*path, str(index)), _line(child))
                pending.append(((*path, str(index)), child))


def _values(node: Node) -> Iterator[Node]:
    return (child for child in node.named_children if child.type != "comment")


def _mention(lines: dict[Path, int], path: Path, line: int) -> None:
    lines[path] = min(line, lines.get(path, line))


def _parts(key: Node) -> list[str]:
    """Return the parts of a key, unquoted and unescaped as by tomllib."""
    parts: list[str] = []
    table: object = tomllib.loads(f"{(key.text or b'').decode()} = 0")
    while isinstance(table, dict):
        [(part, table)] = table.items()
        parts.append(part)
    return parts


def _line(node: Node) -> int:
    return node.start_point.row + 1
