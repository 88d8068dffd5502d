"""Files that become inputs, as `--input NAME=FILE` names them: what they hold, and their shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pipeline.cli.new.fetched_files import is_address
from pipeline.cli.new.inputs import MASK, SEGMENT
from pipeline.cli.new.local_files import check_regular
from pipeline.cli.new.prompts import Asker, Question
from pipeline.cli.new.shapes import Shape, shown
from pipeline.config.model_tables import CARRIED
from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.model.inspect.model_interface import TensorInfo
from pipeline.tensor.sound import read_wave
from pipeline.tensor.stored_array import array_shape, member_names
from pipeline.tensor.text_lines import read_lines
from pipeline.tensor.tokens import is_tokenizer, read_tokenizer

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
_TEXTS = (".txt", ".text")
_WAVES = (b"RIFF", b"RF64", b"BW64")
_NPY = b"\x93NUMPY"
_PAD = ("[PAD]", "<pad>", "<PAD>")
_UNKNOWN = ("[UNK]", "<unk>", "<UNK>")


class FileKind(Enum):
    """What a file holds."""

    PICTURE = "a picture"
    SOUND = "a sound"
    ARRAY = "an array"
    RAW = "a raw tensor"
    TEXT = "a text"


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file for an input; ``rate`` is a sound's sample rate, and ``why`` how that was found."""

    path: Path
    kind: FileKind
    rate: int = 0
    why: str = ""


def named_files(
    texts: Sequence[str], names: Sequence[str], path_of: Callable[[str], Path]
) -> dict[str, list[Path]]:
    """Return the files of each input from texts ``NAME=FILE``; one input needs no name.

    Raises PipelineError (USAGE).
    """
    found: dict[str, list[Path]] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if is_address(text) or not equals or (name not in names and Path(text).exists()):
            name, file = names[0] if len(names) == 1 else "", text
        if name not in names:
            raise PipelineError(
                Code.USAGE,
                f"The model has no input {name!r}."
                if name
                else "The file does not name its input.",
                where=f"--input {text}",
                expected=f"NAME=FILE with one of: {', '.join(names)}",
            )
        path = path_of(file)
        check_regular(path)
        if not path.is_file():
            raise PipelineError(Code.USAGE, "There is no such file.", where=f"--input {text}")
        found.setdefault(name, []).append(path)
    return found


def read_file(path: Path, name: str, rate: int | None, ask: Asker) -> InputFile:
    """Return what a file holds, by its first bytes and its name.

    Raises PipelineError (TENSOR) for a damaged WAV file.
    """
    with path.open("rb") as stream:
        head = stream.read(12)
    suffix = path.suffix.lower()
    if head[:4] in _WAVES and head[8:] == b"WAVE":
        found, why = _rate(path, name, rate, ask)
        return InputFile(path=path, kind=FileKind.SOUND, rate=found, why=why)
    if head.startswith(_NPY) or suffix in (".npz", ".pb"):
        return InputFile(path=path, kind=FileKind.ARRAY)
    if suffix in PICTURES:
        return InputFile(path=path, kind=FileKind.PICTURE)
    if suffix in _TEXTS:
        return InputFile(path=path, kind=FileKind.TEXT)
    return InputFile(path=path, kind=FileKind.RAW)


def _rate(path: Path, name: str, given: int | None, ask: Asker) -> tuple[int, str]:
    own = read_wave(path, name).rate
    if given is not None:
        return given, "rate as given"
    question = Question(
        text=f"Samples per second that the input {name!r} takes ({path.name} has {own})",
        flag="--rate",
        default=str(own),
    )
    while True:
        answer = ask(question)
        if answer.text.isascii() and answer.text.isdigit():
            break
    return int(answer.text), (
        "rate as answered" if answer.known else f"guess: the rate of {path.name}"
    )


def shape_of(info: TensorInfo, file: InputFile) -> Shape | None:
    """Return the shape that a file gives an input with dynamic axes, or None.

    Raises PipelineError (TENSOR) for a file that does not fit them.
    """
    own = info.shape
    if own is not None and None not in own:
        return None
    if file.kind is FileKind.ARRAY:
        shape = array_shape(file.path, _member(info.name, file.path), info.name)
        if shape is None:
            return None
        if own is not None and not _fits(own, shape):
            raise _no_fit(info, file, f"an array of shape {shown(shape) or 'a scalar'}")
        return shape or (1,)
    if own is None or file.kind not in (FileKind.SOUND, FileKind.RAW):
        return None
    filled = [
        1 if axis == 0 and size is None and len(own) > 1 else size for axis, size in enumerate(own)
    ]
    open_ = [axis for axis, size in enumerate(filled) if size is None]
    if len(open_) > 1:
        return None
    rest = math.prod(size for size in filled if size is not None)
    if file.kind is FileKind.SOUND:
        wave = read_wave(file.path, info.name)
        count = max(1, len(wave.samples) * file.rate // wave.rate)
    else:
        element = ELEMENT_TYPES.get(CARRIED.get(info.type, info.type))
        if element is None:
            return None
        count, left = divmod(file.path.stat().st_size, element.size * rest)
        if left or not count:
            raise _no_fit(info, file, f"{file.path.stat().st_size} bytes")
    for axis in open_:
        filled[axis] = count
    return tuple(size or 1 for size in filled)


def tensor_keys(
    name: str, file: InputFile, source: str, given: Mapping[str, Any], vocabulary: Path | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keys of a tensor that is made from a file, and the reasons of guesses.

    ``given`` has its ``type`` and ``count``, the number of elements. Raises PipelineError (USAGE)
    for a text without a vocabulary.
    """
    keys: dict[str, Any] = {"type": given["type"]}
    match file.kind:
        case FileKind.SOUND:
            keys["sound"] = {"source": source, "rate": file.rate}
            return keys, {"sound": file.why}
        case FileKind.RAW:
            keys["array"] = {"source": source, "raw": True}
        case FileKind.ARRAY:
            member = _member(name, file.path)
            keys["array"] = {"source": source, **({"member": member} if member else {})}
        case FileKind.TEXT if vocabulary is not None:
            if is_tokenizer(vocabulary):
                table = {"tokenizer": "vocabulary", **_given(name, vocabulary)}
                why = "by the tokenizer, with its special tokens"
            else:
                table, why = _words(vocabulary)
                table = {"vocabulary": "vocabulary", **table}
            keys["text"] = {"source": source, **table}
            return keys, {"text": why}
        case FileKind.TEXT if given["type"] == "u8":
            keys["content"] = {"source": source, "head": given["count"]}
            return keys, {"content": "guess: the text's bytes, padded with 0"}
        case _:
            raise PipelineError(
                Code.USAGE,
                f"{file.kind.value.capitalize()} cannot become the input {name!r}.",
                where=f"--input {name}={file.path}",
                expected="--vocabulary FILE, with one word per line, or a tokenizer.json"
                if file.kind is FileKind.TEXT
                else "a WAV file, .npy, .npz, text or raw elements",
            )
    return keys, {}


def _given(name: str, tokenizer: Path) -> dict[str, Any]:
    """Return what an input of this name takes of a tokenizer's encoding."""
    read_tokenizer(tokenizer, "--vocabulary")
    if MASK.search(name):
        return {"give": "mask"}
    return {"give": "types"} if SEGMENT.search(name) else {}


def _words(vocabulary: Path) -> tuple[dict[str, Any], str]:
    """Return the keys that a vocabulary implies, and why."""
    words = [line.strip() for line in read_lines(vocabulary, "--vocabulary")]
    keys: dict[str, Any] = {}
    for key, wanted in (("pad", _PAD), ("unknown", _UNKNOWN)):
        if word := next((each for each in wanted if each in words), None):
            keys[key] = words.index(word)
    own = [word for word in words if word not in (*_PAD, *_UNKNOWN) and not word.startswith("[")]
    if own and all(word == word.lower() for word in own):
        keys["lower"] = True
    return keys, "guess: words between spaces, by the vocabulary"


def _member(name: str, path: Path) -> str | None:
    """Return which array of a file is meant: of several, the one with the input's name."""
    members = member_names(path)
    return name if len(members) > 1 and name in members else None


def _fits(own: Sequence[int | None], shape: Shape) -> bool:
    return len(own) == len(shape) and all(
        size in (None, wanted) for size, wanted in zip(own, shape, strict=True)
    )


def _no_fit(info: TensorInfo, file: InputFile, found: str) -> PipelineError:
    return PipelineError(
        Code.TENSOR,
        f"The file does not fit the input {info.name!r}.",
        where=str(file.path),
        expected=f"{shown(info.shape or ())} elements of {info.type}, where ? is any number",
        found=found,
    )
