"""Names of fixtures that not every system takes are refused."""

from __future__ import annotations

import pytest

from pipeline.config.rules import name_fault


@pytest.mark.parametrize("name", ["con", "nul", "aux", "prn", "com1", "lpt9"])
def test_a_device_of_windows_is_no_name(name: str) -> None:
    assert "Windows" in name_fault(name)


@pytest.mark.parametrize("name", ["con-1", "console", "com", "com10", "nullable"])
def test_a_name_that_only_begins_like_one_is_fine(name: str) -> None:
    assert name_fault(name) == ""
