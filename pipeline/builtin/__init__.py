"""What comes with the package for every project: guests, and lock files of toolchains.

The folders below are laid out as in a project, whose own files of the same name come first.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
