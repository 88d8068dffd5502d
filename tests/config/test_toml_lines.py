"""Every key of a TOML file is found on the line where it was written."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.toml_lines import key_lines, line_of

Path = tuple[str, ...]


def test_the_ways_to_write_a_key() -> None:
    text = """\
top = 1
a.b . "c d".'e.f' = 2

[x.y]   # a table
"" = 3
"\\u00e9\\n" = [
  1, # first
  [2,
   3],
  { z = 4, w.v = [ 5 ] },
]
[[list]]
k = \"\"\"
many
lines\"\"\"
[list.sub]
k = 1
[[list]]
[[list.deep]]
k = 2
"""
    lines = key_lines(text)
    tomllib.loads(text)
    assert lines == {
        (): 1,
        ("top",): 1,
        ("a",): 2,
        ("a", "b"): 2,
        ("a", "b", "c d"): 2,
        ("a", "b", "c d", "e.f"): 2,
        ("x",): 4,
        ("x", "y"): 4,
        ("x", "y", ""): 5,
        ("x", "y", "é\n"): 6,
        ("x", "y", "é\n", "0"): 7,
        ("x", "y", "é\n", "1"): 8,
        ("x", "y", "é\n", "1", "0"): 8,
        ("x", "y", "é\n", "1", "1"): 9,
        ("x", "y", "é\n", "2"): 10,
        ("x", "y", "é\n", "2", "z"): 10,
        ("x", "y", "é\n", "2", "w"): 10,
        ("x", "y", "é\n", "2", "w", "v"): 10,
        ("x", "y", "é\n", "2", "w", "v", "0"): 10,
        ("list",): 12,
        ("list", "0"): 12,
        ("list", "0", "k"): 13,
        ("list", "0", "sub"): 16,
        ("list", "0", "sub", "k"): 17,
        ("list", "1"): 18,
        ("list", "1", "deep"): 19,
        ("list", "1", "deep", "0"): 19,
        ("list", "1", "deep", "0", "k"): 20,
    }


def test_a_table_has_the_line_of_its_header_though_its_part_came_first() -> None:
    lines = key_lines("[a.b]\nk = 1\n[a]\nk = 2\n[a.c]\n")
    assert (lines["a",], lines["a", "b"], lines["a", "c"]) == (3, 1, 5)


def test_a_key_that_is_missing_has_the_line_of_its_table() -> None:
    lines = key_lines("x = 1\n[a.b]\nk = 1\n")
    assert line_of(lines, ("a", "b", "missing", "deep")) == 2
    assert line_of(lines, ("missing",)) == 1


SCALARS = ("1", "true", '"text # no comment"', "'[x]'", "1979-05-27", "-inf", '"""\ntwo\nlines"""')
KEYS = st.one_of(
    st.sampled_from(["a", "b", "k-1", "_", "7", "1979-05-27"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=4),
)


def tables(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keyed = st.dictionaries(KEYS, children, max_size=4)
    return st.one_of(
        st.tuples(st.just("inline"), st.dictionaries(KEYS, values(), max_size=3)),
        st.tuples(st.just("dotted"), st.dictionaries(KEYS, values(), min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["table", "late", "implicit"]), keyed),
        st.tuples(st.just("tables"), st.lists(keyed, min_size=1, max_size=3)),
    )


def values() -> st.SearchStrategy[Any]:
    scalar = st.tuples(st.just("scalar"), st.sampled_from(SCALARS))
    return st.recursive(
        scalar,
        lambda inner: st.one_of(
            st.tuples(st.just("array"), st.lists(inner, max_size=3)),
            st.tuples(st.just("inline"), st.dictionaries(KEYS, inner, max_size=3)),
        ),
        max_leaves=4,
    )


DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(values(), lambda inner: st.one_of(values(), tables(inner)), max_leaves=8),
    max_size=4,
)


class Writer:
    """Writes a document and remembers on which line each key path went."""

    def __init__(self, quote: Iterator[bool]) -> None:
        self.text = ""
        self.lines: dict[Path, int] = {}
        self._quote = quote

    def document(self, table: dict[str, Any]) -> str:
        self._body((), table)
        self._headers((), (), table)
        return self.text

    def _line(self) -> int:
        return self.text.count("\n") + 1

    def _mention(self, path: Path) -> None:
        self.lines.setdefault(path, self._line())

    def _key(self, key: str) -> str:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        return key if bare and next(self._quote) else json.dumps(key, ensure_ascii=False)

    def _body(self, path: Path, table: dict[str, Any]) -> None:
        for key, (kind, value) in table.items():
            here = (*path, key)
            if kind == "dotted":
                for last, item in value.items():
                    self._mention(here)
                    self._mention((*here, last))
                    self.text += f"{self._key(key)} . {self._key(last)}= "
                    self._value((*here, last), item)
                    self.text += "  # remark\n\n"
            elif kind in ("scalar", "array", "inline"):
                self._mention(here)
                self.text += f"{self._key(key)} = "
                self._value(here, (kind, value))
                self.text += "\n"

    def _value(self, path: Path, node: tuple[str, Any]) -> None:
        kind, value = node
        if kind == "scalar":
            self.text += value
        elif kind == "array":
            self.text += "[ # remark\n"
            for index, item in enumerate(value):
                self._mention((*path, str(index)))
                self._value((*path, str(index)), item)
                self.text += ",\n" if next(self._quote) else " , # remark ]\n\n"
            self.text += "]"
        else:
            self.text += "{"
            for number, (key, item) in enumerate(value.items()):
                self.text += ", " if number else " "
                self._mention((*path, key))
                self.text += f"{self._key(key)} = "
                self._value((*path, key), item)
            self.text += "}"

    def _headers(self, path: Path, header: Path, table: dict[str, Any]) -> None:
        for key, (kind, value) in table.items():
            here, named = (*path, key), (*header, key)
            if kind in ("table", "late", "implicit"):
                has_pairs = any(
                    k in ("scalar", "array", "inline", "dotted") for k, _ in value.values()
                )
                subs = any(k in ("table", "late", "tables") for k, _ in value.values())
                if kind == "late":
                    self._headers(here, named, value)
                if kind != "implicit" or has_pairs or not subs:
                    self._open(here, named, "[{}]")
                    self.lines[here] = self._line() - 1
                    self._body(here, value)
                if kind != "late":
                    self._headers(here, named, value)
            elif kind == "tables":
                for index, item in enumerate(value):
                    self._open((*here, str(index)), named, "[[{}]]")
                    self._body((*here, str(index)), item)
                    self._headers((*here, str(index)), named, item)

    def _open(self, path: Path, header: Path, form: str) -> None:
        for length in range(1, len(path) + 1):
            self._mention(path[:length])
        self.text += form.format(" . ".join(self._key(key) for key in header)) + "\n"


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths_of(item, (*path, str(index)))


@given(DOCUMENTS, st.lists(st.booleans(), min_size=1, max_size=20))
def test_every_key_has_the_line_on_which_it_was_written(
    document: dict[str, Any], choices: list[bool]
) -> None:
    def endless() -> Iterator[bool]:
        while True:
            yield from choices

    writer = Writer(endless())
    text = writer.document(document)
    lines = key_lines(text)
    assert set(lines) == set(paths_of(tomllib.loads(text)))
    assert lines == {(): 1, **writer.lines}
