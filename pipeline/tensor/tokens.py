"""Tokenize a text to the ids of its words in a vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.config.tensor_tables import TokenText
from pipeline.errors import Code, PipelineError
from pipeline.tensor.text_lines import read_lines


def token_ids(text: Path, vocabulary: Path, tokens: TokenText, count: int, name: str) -> Any:
    """Return ``count`` token ids in float64: each word's line in the vocabulary, from 0.

    Words are separated by white space. Longer texts are truncated, shorter ones padded with
    ``pad``. Raises PipelineError (TENSOR) for a word not in the vocabulary without an id for
    unknown words.
    """
    import numpy

    numbers: dict[str, int] = {}
    for line, word in enumerate(read_lines(vocabulary, name)):
        numbers.setdefault(word.strip(), line)
    found = numpy.full(count, float(tokens.pad))
    words = " ".join(read_lines(text, name)).split()
    for place, word in enumerate(words[:count]):
        number = numbers.get(word.lower() if tokens.lower else word, tokens.unknown)
        if number is None:
            raise PipelineError(
                Code.TENSOR,
                f"The word {word[:40]!r} is not in the vocabulary.",
                where=f"{name}, {text.name}",
                expected=f"one of the {len(numbers)} words of {vocabulary.name}",
                hint="Set unknown to the id of unknown words.",
            )
        found[place] = number
    return found
