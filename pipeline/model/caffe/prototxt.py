"""Parse Caffe's prototxt: protobuf's text format, without a schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError

_LARGEST = 16 << 20
_DEEPEST = 32
# As protobuf's text format writes booleans.
_TRUE, _FALSE = ("true", "True", "t", "1"), ("false", "False", "f", "0")
_LEAST_WHOLE = -(1 << 63)
_TOKEN = re.compile(
    r"""[\s,;]+|\#[^\n]*|(?P<name>[A-Za-z_][\w.]*)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"""|(?P<number>[-+]?(?:\d[\w.]*|\.\d\w*)(?:(?<=[eE])[-+]?\d+)?)|(?P<mark>[{}<>:\[\]])""",
)


@dataclass(frozen=True)
class Message:
    """A message's fields in order; a field may be repeated.

    A value is a Message, or a string, number or name as text.
    """

    fields: tuple[tuple[str, str | Message], ...]

    def all(self, name: str) -> tuple[str | Message, ...]:
        """Return every value of a field."""
        return tuple(value for key, value in self.fields if key == name)

    def messages(self, name: str) -> tuple[Message, ...]:
        """Return every value of a field that is a message."""
        return tuple(value for value in self.all(name) if isinstance(value, Message))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return every value of a field that is not a message."""
        return tuple(value for value in self.all(name) if isinstance(value, str))

    def text(self, name: str, default: str = "") -> str:
        """Return the last value of a field, as protobuf does, or the default."""
        return self.texts(name)[-1] if self.texts(name) else default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return the last value of a boolean field; raises ValueError."""
        text = self.text(name)
        if not text:
            return default
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise ValueError(f"{text} is not a boolean")

    def number(self, name: str, default: int) -> int:
        """Return the last value of a field as an integer; raises ValueError."""
        return _whole(self.text(name, str(default)))

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return all values of a field as integers; raises ValueError."""
        return tuple(map(_whole, self.texts(name)))

    def message(self, name: str) -> Message:
        """Return the last value of a field, or an empty message."""
        return self.messages(name)[-1] if self.messages(name) else Message(())


def _whole(text: str) -> int:
    """Parse an integer of at most 64 bits, as in protobuf; raises ValueError."""
    number = int(text, 0)
    if not _LEAST_WHOLE <= number < -_LEAST_WHOLE:
        raise ValueError("a number of more than 64 bits")
    return number


def read_prototxt(path: Path) -> Message:
    """Parse a topology; raises PipelineError (MODEL) with the line of the error.

    Format: protobuf.dev/reference/protobuf/textformat-spec.
    """
    data = path.read_bytes()
    if len(data) > _LARGEST:
        raise _refused(path, 1, f"at most {_LARGEST} bytes", f"{len(data)} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _refused(path, 1, "UTF-8 text", "invalid UTF-8") from None
    tokens = list(_tokens(text, path))
    fields, end = _fields(tokens, 0, "", path, 0)
    if end < len(tokens):
        raise _refused(path, tokens[end][2], "a field name", tokens[end][1])
    return Message(fields)


_Token = tuple[str, str, int]


def _tokens(text: str, path: Path) -> Iterator[_Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _refused(path, line, "a name, string, number or bracket", text[at : at + 20])
        if found.lastgroup:
            yield found.lastgroup, found.group(), line
        line += found.group().count("\n")
        at = found.end()


def _fields(
    tokens: list[_Token], at: int, closing: str, path: Path, depth: int
) -> tuple[tuple[tuple[str, str | Message], ...], int]:
    """Return the fields up to the closing bracket, and the position after it."""
    if depth > _DEEPEST:
        raise _refused(path, tokens[at - 1][2], f"at most {_DEEPEST} nested messages", "more")
    found: list[tuple[str, str | Message]] = []
    while at < len(tokens):
        kind, text, line = tokens[at]
        if text == closing:
            return tuple(found), at + 1
        if kind != "name":
            return _ended(found, at, closing, path, line, text)
        at += 1
        if at < len(tokens) and tokens[at][1] == ":":
            at += 1
        if at == len(tokens):
            raise _refused(path, line, f"a value of {text}", "end of file")
        many = tokens[at][1] == "["
        at += many
        while True:
            value, at = _value(tokens, at, path, depth)
            found.append((text, value))
            if not many:
                break
            if at < len(tokens) and tokens[at][1] == "]":
                at += 1
                break
            if at >= len(tokens):
                raise _refused(path, line, "]", "end of file")
    if closing:
        raise _refused(path, tokens[-1][2] if tokens else 1, closing, "end of file")
    return tuple(found), at


def _ended(
    found: list[tuple[str, str | Message]], at: int, closing: str, path: Path, line: int, text: str
) -> tuple[tuple[tuple[str, str | Message], ...], int]:
    if closing:
        raise _refused(path, line, f"a field name, or {closing}", text)
    return tuple(found), at


def _value(tokens: list[_Token], at: int, path: Path, depth: int) -> tuple[str | Message, int]:
    if at >= len(tokens):
        raise _refused(path, tokens[-1][2], "a value", "end of file")
    kind, text, line = tokens[at]
    if text in "{<" and kind == "mark":
        fields, end = _fields(tokens, at + 1, "}" if text == "{" else ">", path, depth + 1)
        return Message(fields), end
    if kind == "mark":
        raise _refused(path, line, "a value", text)
    return (text[1:-1] if kind == "text" else text), at + 1


def _refused(path: Path, line: int, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.MODEL,
        "The topology is not a valid prototxt.",
        where=f"{path.name}:{line}",
        expected=expected,
        found=found,
    )
