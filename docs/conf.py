"""How Sphinx builds this documentation: ``sphinx-build -W docs build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "wasi-nn-pipeline"
author = "the maintainers of wasi-nn-pipeline"
project_copyright = "Apache-2.0"
extensions = ["myst_parser", "reference_pages"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["examples"]

# A reference that leads nowhere is an error.
smartquotes = False
nitpicky = True
# The decisions are reached by the table of theirs.
suppress_warnings = ["toc.not_included"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = project
html_static_path = ["figures"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_search_scorer = str(Path(__file__).with_name("search_scorer.js"))
