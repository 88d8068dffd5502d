"""Format keys, values and types in error messages, in TOML's terms."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

Path = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 60
_MOST_NAMES = 20
# Python refuses to format integers of more than some thousand digits.
_WRITABLE_BITS = 1024


def dotted(path: Path) -> str:
    """Return a key path as TOML.

    >>> dotted(("tensor", "cat", "input:0"))
    "tensor.cat.'input:0'"
    """
    return ".".join(part if _BARE.fullmatch(part) else quoted(part) for part in path)


def quoted(text: str) -> str:
    r"""Return a quoted text, shortened to one line, with non-printable characters escaped.

    >>> quoted("cat\x1b[2J")
    "'cat\\x1b[2J'"
    """
    return _cut(repr(text))


def listing(names: Iterable[str]) -> str:
    """Return sorted names, or 'none'.

    >>> listing(["weights", "topology"])
    'topology, weights'
    """
    shown = [name if name.isprintable() else quoted(name) for name in sorted(names)]
    more = f" and {len(shown) - _MOST_NAMES} more" if len(shown) > _MOST_NAMES else ""
    return ", ".join(shown[:_MOST_NAMES]) + more or "none"


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known name closest to ``word``, or ''."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def did_you_mean(name: str) -> str:
    """Return the end of a sentence: a suggestion of ``name``, if there is one.

    >>> "No source named 'bleu'" + did_you_mean(closest("bleu", ["blue", "red"]))
    "No source named 'bleu'; did you mean 'blue'?"
    """
    return f"; did you mean {quoted(name)}?" if name else "."


def shown(value: object) -> str:
    """Return a value as text, shortened to one line.

    >>> shown("big"), shown(2.5), shown([1, 2]), shown({})
    ("the string 'big'", 'the number 2.5', 'an array of 2', 'a table')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the string {quoted(value)}"
        case int() if value.bit_length() > _WRITABLE_BITS:
            return "a number of hundreds of digits"
        case int() | float():
            return f"the number {_cut(str(value))}"
        case list():
            return f"an array of {len(value)}" if value else "an empty array"
        case dict():
            return "a table"
    return f"the date or time {value}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def compared(given: Iterable[str], wanted: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return the unknown names, each with its closest missing name, and the missing names.

    A misspelt name is one error: its intended name is then not missing.
    """
    missing = sorted(set(wanted) - set(given))
    unknown: dict[str, str] = {}
    for name in given:
        if name not in wanted:
            unknown[name] = closest(name, missing)
            missing = [other for other in missing if other != unknown[name]]
    return unknown, missing
