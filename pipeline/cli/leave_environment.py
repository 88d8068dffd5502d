"""Leave the environment of the shell behind, before anything costly is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from pipeline.host.sandbox.process_environment import without_secrets

# Names the process that has left it.
_MARK = "WASI_NN_PROCESS"


def leave_environment(given: Sequence[str]) -> None:
    """Start this program again if its environment holds what may be a secret.

    The old environment would stay in the memory of this process. ``given`` are its arguments; the
    variables that they pass on with ``--env`` are kept.
    """
    kept = without_secrets(os.environ, list(_passed(given)))
    # Windows' exec starts another process.
    if kept.keys() >= os.environ.keys() or os.name == "nt":
        return
    # The process keeps its id, so this cannot go on forever.
    if os.environ.get(_MARK) == str(os.getpid()):
        return
    words = sys.orig_argv[1:]
    if words[-len(given) :] != list(given):
        words = ["-m", "pipeline.cli.main", *given]
    environment = {**kept, _MARK: str(os.getpid())}
    os.execve(sys.executable, [sys.executable, *words], environment)  # noqa: S606 - no shell intended


def _passed(given: Sequence[str]) -> Iterator[str]:
    """Yield the names after ``--env``, wherever they are."""
    for at, word in enumerate(given):
        option, equals, text = word.partition("=")
        if option == "--env":
            yield text.partition("=")[0] if equals else "".join(given[at + 1 : at + 2])
