"""Make way for an action's outputs, below the folder of all outputs and behind no link."""

from __future__ import annotations

from pathlib import Path

from pipeline.cache.confined_path import is_below
from pipeline.cache.owned_folder import INNER_MARKER, claim, remove
from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Action


def make_way(action: Action, top: Path | None) -> None:
    """Check where the outputs of an action lie, and remove those that are folders.

    ``top`` is the folder of all outputs, by default that of each output. Raises OSError, and
    PipelineError (STORAGE) for an output behind a link.
    """
    for target in action.outputs.values():
        if top is not None and not is_below(top, target):
            raise PipelineError(
                Code.STORAGE,
                f"An output of {action.name} lies behind a link.",
                where=str(target),
                expected=f"folders only between {top} and the output",
                hint="Remove the link. The folder of all outputs may be a link itself.",
            )
    for label, target in action.outputs.items():
        if label.endswith("/"):
            owned = top or target.parent
            claim(owned, within=owned.parent, marker=INNER_MARKER)
            remove(target, owned)
