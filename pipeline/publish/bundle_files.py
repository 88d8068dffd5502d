"""The names of what a bundle holds beside the files of the manifest."""

from __future__ import annotations

from pipeline.publish.release import SUMS

# Made from the manifest, so it cannot list them with their digests.
MADE_BESIDE = frozenset({SUMS, "README.md", "regenerate.sh", "provenance.json", "bom.json"})
