"""The codes of errors: scripts match on them, and the reference tells of each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.config.key_docs import key_docs
from pipeline.errors import Code

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("code", Code)
def test_every_code_says_what_it_means(code: Code) -> None:
    assert key_docs(Code)[code.name].endswith(".")


def test_every_code_is_raised_somewhere() -> None:
    used = {
        name
        for path in (ROOT / "pipeline").rglob("*.py")
        for name in re.findall(r"\bCode\.([A-Z_]+)", path.read_text())
    }
    assert used >= {code.name for code in Code}
