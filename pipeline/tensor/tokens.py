"""Make a text into the ids of its tokens, by a vocabulary of words or a tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.tensor_tables import TokenText
from pipeline.errors import Code, PipelineError
from pipeline.tensor.text_lines import read_lines

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_BYTES = 64 << 20


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


def tokenized(text: Path, tokenizer: Path, tokens: TokenText, count: int, name: str) -> Any:
    r"""Return ``count`` numbers in float64 of a text's tokens, with the tokenizer's special ones.

    They are the tokens' ids, padded with ``pad``; or 1 for each token and 0 for padding; or the
    segment of each token. Longer texts are truncated as the tokenizer does, which keeps its special
    tokens. The lines of the text are joined by ``\n``. Raises PipelineError (TENSOR).
    """
    import numpy

    made = read_tokenizer(tokenizer, name)
    words = "\n".join(read_lines(text, name))
    with _refusing("The tokenizer cannot encode the text.", f"{name}, {tokenizer.name}"):
        made.no_padding()
        made.enable_truncation(count)
        encoding = made.encode(words)
        if len(encoding.ids) > count:
            raise ValueError(f"{len(encoding.ids)} tokens, the special ones alone, for {count}")
    values = {"ids": encoding.ids, "mask": encoding.attention_mask, "types": encoding.type_ids}
    numbers = numpy.full(count, float(tokens.pad) if tokens.give == "ids" else 0.0)
    numbers[: len(encoding.ids)] = values[tokens.give]
    return numbers


def read_tokenizer(path: Path, where: str) -> Tokenizer:
    """Return the tokenizer of a tokenizer.json file; raises PipelineError (TENSOR)."""
    from tokenizers import Tokenizer

    with _refusing("The tokenizer cannot be read.", f"{where}, {path.name}"):
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))


@contextmanager
def _refusing(message: str, where: str) -> Iterator[None]:
    """Turn what the library raises into one error; its panics are no Exception."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise PipelineError(
            Code.TENSOR,
            message,
            where=where,
            expected="a tokenizer.json, as Hugging Face's tokenizers write it",
            found=str(error)[:200],
        ) from None


def is_tokenizer(path: Path) -> bool:
    """Return whether a file is a tokenizer.json and not a vocabulary of words."""
    try:
        with path.open("rb") as stream:
            if not stream.read(64).lstrip().startswith(b"{"):
                return False
        return path.stat().st_size <= _MOST_BYTES and "model" in json.loads(path.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False
