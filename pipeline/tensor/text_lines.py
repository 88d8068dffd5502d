"""Lines of text files whose line numbers are ids: vocabularies, labels and classes."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import Code, PipelineError

_MOST_BYTES = 64 << 20


def split_lines(data: bytes) -> list[str]:
    r"""Return the lines of a text in UTF-8, without a byte order mark; raises UnicodeDecodeError.

    A line ends with ``\n`` or ``\r\n`` alone: a token or a label may hold any other of Python's
    line boundaries, and would shift the ids of all that follow.

    >>> split_lines("\ufeffa\r\nb\u2028c\n\n".encode())
    ['a', 'b\u2028c', '']
    """
    lines = data.decode("utf-8-sig").split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_lines(path: Path, where: str) -> list[str]:
    """Return the lines of a file of at most 64 MiB, as ``split_lines`` does.

    Raises PipelineError (TENSOR).
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        return split_lines(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PipelineError(
            Code.TENSOR,
            "The text cannot be read.",
            where=f"{where}, {path.name}",
            expected="text in UTF-8",
            found=str(error)[:200],
        ) from None
