"""Write TOML tables with keys in a given order and optional comments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import printable

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def table(path: tuple[str, ...], pairs: Mapping[str, Any], why: Mapping[str, str]) -> str:
    r"""Return a table with its heading; ``why`` maps keys to comments.

    >>> print(table(("model", "inputs", "a:0"), {"shape": [1, 3]}, {"shape": "it is open"}), end="")
    [model.inputs."a:0"]
    shape = [1, 3]  # it is open
    """
    lines = [f"[{'.'.join(map(key, path))}]"] if path else []
    for name, item in pairs.items():
        comment = f"  # {one_line(why[name])}" if why.get(name) else ""
        lines.append(f"{key(name)} = {value(item)}{comment}")
    return "\n".join(lines) + "\n"


def key(name: str) -> str:
    """Return a key, quoted if needed."""
    return name if _BARE.fullmatch(name) else value(name)


def value(item: Any) -> str:
    r"""Return a value as TOML.

    >>> value({"a": [1, 2.5], "b": "x\ny"}), value(104.0), value(True)
    ('{ a = [1, 2.5], b = "x\\ny" }', '104', 'true')
    """
    match item:
        case bool():
            return "true" if item else "false"
        case str():
            # JSON escapes all but one of the characters that TOML requires to be escaped.
            return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float() if item == int(item):
            return str(int(item))
        case int() | float():
            return str(item)
        case list() if item and all(isinstance(each, dict) for each in item):
            return "[\n" + "".join(f"    {value(each)},\n" for each in item) + "]"
        case list() | tuple():
            return f"[{', '.join(map(value, item))}]"
        case dict() if not item:
            return "{}"
        case dict():
            return (
                f"{{ {', '.join(f'{key(name)} = {value(each)}' for name, each in item.items())} }}"
            )
    raise TypeError(type(item))


def one_line(text: str) -> str:
    """Return a text on one line without control characters, as model names may contain them."""
    return printable(" ".join(text.split()))
