"""Whatever stands in a config: it loads, or what is wrong is told; nothing else happens."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.load_project import load_project
from pipeline.errors import Code, ConfigErrors
from tests.config.sample import FIXTURE, FIXTURE_PATH, write_project
from tests.config.test_schema_check import mutated


def written(value: Any) -> str:
    """Return a value as TOML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(k)} = {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def told_of(raw: bytes) -> ConfigErrors | None:
    """Return what is told of a project whose fixture is ``raw``, or None if it loads."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_project(Path(folder))
        (root / FIXTURE_PATH).write_bytes(raw)
        try:
            load_project(root)
        except ConfigErrors as told:
            return told
    return None


def load_or_tell(raw: bytes) -> None:
    told = told_of(raw)
    if told is None:
        return
    assert told.errors
    lines = []
    for error in told.errors:
        assert error.code is Code.CONFIG
        assert error.message.endswith((".", "?"))
        name, _, line = error.where.partition(":")
        assert name == FIXTURE_PATH
        lines.append(int(line))
    assert lines == sorted(lines)
    assert 1 <= lines[0] <= lines[-1] <= max(1, len(raw.splitlines()))
    assert told.render().replace("\n", "").isprintable()


@given(mutated())
def test_any_value_in_any_place(data: dict[str, Any]) -> None:
    text = "".join(f"{written(key)} = {written(value)}\n" for key, value in data.items())
    load_or_tell(text.encode("utf-8", "replace"))


SNIPPETS = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"[", b"]]", b"{", b"=", b'"', b'"""', b"\n[source]\n", b"#", b"\\u0007", b"."]
    ),
)


@given(st.lists(st.tuples(st.integers(0, len(FIXTURE)), st.integers(0, 9), SNIPPETS), max_size=4))
def test_any_text(cuts: list[tuple[int, int, bytes]]) -> None:
    raw = FIXTURE.encode()
    for start, length, snippet in cuts:
        raw = raw[:start] + snippet + raw[start + length :]
    load_or_tell(raw)
