"""Texts as the numbers that a tokenizer makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from pipeline.config.tensor_tables import TokenText
from pipeline.errors import Code, PipelineError
from pipeline.tensor.tokens import is_tokenizer, tokenized

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "sand", "##box", "a", ".")


def write_tokenizer(path: Path) -> Path:
    """Write a tokenizer as BERT has them, with eight tokens."""
    ids = {word: at for at, word in enumerate(WORDS)}
    made = Tokenizer(WordPiece(ids, unk_token="[UNK]"))
    made.normalizer = Lowercase()
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # What a file says of padding does not count: the config does.
    made.enable_padding(pad_id=1, length=40)
    made.save(str(path))
    return path


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return write_tokenizer(tmp_path / "tokenizer.json")


def numbers(tokenizer: Path, text: str, count: int, **keys: object) -> list[int]:
    path = tokenizer.with_name("text")
    path.write_text(text)
    table = TokenText(source="text", tokenizer="tokenizer", **keys)  # type: ignore[arg-type]
    found = tokenized(path, tokenizer, table, count, "tensor.x")
    return [int(each) for each in found]


def test_words_are_parts_between_special_tokens(tokenizer: Path) -> None:
    assert numbers(tokenizer, "A Sandbox.\n", 6) == [2, 6, 4, 5, 7, 3]


def test_a_short_text_is_padded_and_masked(tokenizer: Path) -> None:
    assert numbers(tokenizer, "a", 5) == [2, 6, 3, 0, 0]
    assert numbers(tokenizer, "a", 5, pad=9) == [2, 6, 3, 9, 9]
    assert numbers(tokenizer, "a", 5, give="mask", pad=9) == [1, 1, 1, 0, 0]
    assert numbers(tokenizer, "a", 5, give="types") == [0] * 5


def test_a_long_text_keeps_its_special_tokens(tokenizer: Path) -> None:
    assert numbers(tokenizer, "a a a a a a a a", 4) == [2, 6, 6, 3]


def test_an_unknown_word_has_the_tokenizers_id(tokenizer: Path) -> None:
    assert numbers(tokenizer, "zebra", 3) == [2, 1, 3]


def test_too_few_places_for_the_special_tokens_are_one_error(tokenizer: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        numbers(tokenizer, "a", 1)
    assert "cannot encode the text" in caught.value.render()


@pytest.mark.parametrize("text", ["", "{}", '{"model": 3}', "[PAD]\n[UNK]\n", "\ud800"])
def test_what_is_no_tokenizer_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PipelineError) as caught:
        numbers(path, "a", 4)
    assert caught.value.code is Code.TENSOR
    assert "expected: a tokenizer.json" in caught.value.render()


def test_a_vocabulary_is_told_from_a_tokenizer(tokenizer: Path, tmp_path: Path) -> None:
    words = tmp_path / "vocab.txt"
    words.write_text("\n".join(WORDS))
    assert is_tokenizer(tokenizer)
    assert not is_tokenizer(words)
    words.write_text('{"model"')
    assert not is_tokenizer(words)
