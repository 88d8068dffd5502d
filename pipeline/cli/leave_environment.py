"""Leave the environment of the shell behind, before anything that could copy it is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.host.sandbox.process_environment import may_be_secret


def leave_environment(given: Sequence[str]) -> None:
    """Remove the variables that may be secrets, and overwrite their values in this process.

    ``given`` are the arguments of the command; variables that they pass on with ``--env`` are kept.
    Each value is in memory twice, where the kernel put it and as Python's object. No value is read
    as text here, since that would make a copy.
    """
    if os.name != "posix":
        return
    passed = list(_passed(given))
    names = [name for name in os.environ if may_be_secret(name, passed)]
    if names and sys.implementation.name == "cpython":
        _overwrite({os.fsencode(name) for name in names})
    for name in names:
        del os.environ[name]


def _overwrite(names: set[bytes]) -> None:
    import ctypes
    import posix

    library = ctypes.CDLL(None)
    library.strchr.restype = ctypes.c_void_p
    library.strchr.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.strlen.restype = ctypes.c_size_t
    library.strlen.argtypes = (ctypes.c_void_p,)
    for text in _block(library):
        equals = library.strchr(text, ord("="))
        if equals and ctypes.string_at(text, equals - text) in names:
            ctypes.memset(equals + 1, 0, library.strlen(equals + 1))
    for name in names:
        value = posix.environ.get(name, b"")
        # Python has but one object for each of the shortest values.
        if len(value) > 1:
            ctypes.memset(id(value) + bytes.__basicsize__ - 1, 0, len(value))


def _block(library: Any) -> Iterator[int]:
    """Yield the addresses of the texts `NAME=value` that this process was given."""
    import ctypes

    texts = ctypes.POINTER(ctypes.c_void_p)
    if sys.platform == "darwin":
        library._NSGetEnviron.restype = ctypes.POINTER(texts)
        block = library._NSGetEnviron().contents
    else:
        block = texts.in_dll(library, "environ")
    at = 0
    while text := block[at]:
        yield text
        at += 1


def _passed(given: Sequence[str]) -> Iterator[str]:
    """Yield the names after ``--env``, wherever they are."""
    for at, word in enumerate(given):
        option, equals, text = word.partition("=")
        if option == "--env":
            yield text.partition("=")[0] if equals else "".join(given[at + 1 : at + 2])
