"""A guest's output on a terminal: characters that control it are shown instead of sent."""

from __future__ import annotations

import codecs
import os
import re

# Control characters but tab, line feed and carriage return, and the invisible ones that format text
# but the joiners: among them those that reorder it (Unicode 16, bidirectional algorithm).
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def shown(text: str) -> str:
    r"""Return a text with its control characters escaped.

    >>> shown("a\x1b[2Jb\n")
    'a\\x1b[2Jb\n'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class TerminalOutput:
    """Writes bytes to a terminal as text; those that are not UTF-8 are shown as U+FFFD."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def write(self, data: bytes) -> int:
        """Write all bytes; return their number, or a negative errno."""
        left = shown(self._decoder.decode(data)).encode()
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            return -(error.errno or 1)
        return len(data)
