"""The bytes of a file as a tensor, for models that classify files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.config.tensor_tables import Content

# How many bytes at each end are searched for white space.
_SPARE = 1 << 20


def read_content(path: Path, content: Content) -> Any:
    """Return the ``head`` first and ``tail`` last bytes of a file as float64, from 0 to 255.

    Reads no more of the file than needed; raises OSError.
    """
    import numpy

    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        first = stream.read(content.head + _SPARE)
        stream.seek(max(0, size - content.tail - _SPARE))
        last = stream.read()
    if content.strip:
        # A file that was read completely is stripped at both ends.
        first = first.strip() if len(first) == size else first.lstrip()
        last = last.strip() if len(last) == size else last.rstrip()
    found = numpy.full(content.head + content.tail, float(content.pad))
    head = first[: content.head]
    found[: len(head)] = numpy.frombuffer(head, numpy.uint8)
    tail = last[len(last) - min(len(last), content.tail) :]
    if tail:
        found[-len(tail) :] = numpy.frombuffer(tail, numpy.uint8)
    return found
