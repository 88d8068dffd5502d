"""Find the core module that a component of the usual toolchains is made of.

wasm-tools (and each toolchain that uses it) makes a component of four modules: the program, which
imports preview 1 and what the component imports; the adapter, which has preview 1 over WASI 0.2;
and two small ones that connect them. Such a program runs as it is, on the host's own preview 1.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pipeline.host.sandbox.wasm_binary import sections, text, u32

PREVIEW_1 = "wasi_snapshot_preview1"
_MODULE, _COMPONENT, _CANON, _START, _IMPORT, _EXPORT = 1, 4, 8, 9, 10, 11
_CORE_IMPORT, _CORE_EXPORT = 2, 7
_RUN = re.compile(r"wasi:cli/run@0\.2\.\d+")
_RUN_FUNCTION = re.compile(r"wasi:cli/run@0\.2\.\d+#run")
# Options of a canonical function that the host's own way has: UTF-8, a memory, realloc, and what to
# call after an export.
_UTF_8, _POINTED = 0, (3, 4, 5)
# What the last module imports from: older wasm-tools give no names.
_TABLE_FROM, _FUNCTIONS_FROM = ("", "shim"), ("", "actual")


@dataclass(frozen=True)
class _Module:
    """A core module's imports, as module and name, and the names of its exports."""

    imports: tuple[tuple[str, str], ...]
    exports: tuple[str, ...]


def program_of(wasm: bytes, interfaces: Collection[str]) -> bytes | None:
    """Return the program of a component that imports no more than WASI and ``interfaces``.

    None for any other component, also a broken one.
    """
    try:
        return _program(wasm, interfaces)
    except (IndexError, ValueError):
        return None


def _program(wasm: bytes, interfaces: Collection[str]) -> bytes | None:
    modules: list[bytes] = []
    for number, _, begin, end in sections(wasm):
        payload = wasm[begin:end]
        if end > len(wasm) or not _is_plain(number, payload, interfaces):
            return None
        if number == _MODULE:
            modules.append(payload)
    if len(modules) != 4:
        return None
    program, *others = map(_module, modules)
    wanted = {name for module, name in program.imports if module == PREVIEW_1}
    if (
        {module for module, _ in program.imports} <= {PREVIEW_1, *interfaces}
        and {"memory", "_start"} <= set(program.exports)
        and sum(_is_adapter(each, wanted) for each in others) == 1
        and sum(_is_shim(each) for each in others) == 1
        and sum(_is_fixups(each) for each in others) == 1
    ):
        return modules[0]
    return None


def _is_plain(number: int, payload: bytes, interfaces: Collection[str]) -> bool:
    """Whether a section of the component is what those of the usual toolchains are."""
    if number == _COMPONENT:
        return _is_wrapper(payload)
    if number == _CANON:
        return _is_usual(payload)
    if number == _IMPORT:
        return all(_known(name, interfaces) for name in _imports(payload))
    return _is_run(payload) if number == _EXPORT else number != _START


def _is_wrapper(component: bytes) -> bool:
    """Whether a component within has no code: it gives an exported instance its types."""
    return all(number not in (_MODULE, _START, _COMPONENT) for number, *_ in sections(component))


def _is_adapter(module: _Module, wanted: Collection[str]) -> bool:
    return (
        all(
            name in ("env", "__main_module__") or name.startswith("wasi:")
            for name, _ in module.imports
        )
        and set(wanted) <= set(module.exports)
        and any(map(_RUN_FUNCTION.fullmatch, module.exports))
    )


def _is_shim(module: _Module) -> bool:
    return (
        not module.imports
        and "$imports" in module.exports
        and all(name == "$imports" or name.isdecimal() for name in module.exports)
    )


def _is_fixups(module: _Module) -> bool:
    return (
        not module.exports
        and sum(name == "$imports" for _, name in module.imports) == 1
        and all(
            origin in (_TABLE_FROM if name == "$imports" else _FUNCTIONS_FROM)
            for origin, name in module.imports
        )
    )


def _is_usual(canon: bytes) -> bool:
    """Whether all functions are lifted and lowered with UTF-8, and none is of another kind."""
    count, at = u32(canon, 0)
    for _ in range(count):
        kind = canon[at]
        if kind in (0, 1):  # Lift and lower: a zero, the function, its options, and a type.
            _, at = u32(canon, at + 2)
            options, at = u32(canon, at)
            for _ in range(options):
                option = canon[at]
                at += 1
                if option in _POINTED:
                    _, at = u32(canon, at)
                elif option != _UTF_8:
                    return False
            if kind == 0:
                _, at = u32(canon, at)
        elif kind == 3:  # The end of a resource.
            _, at = u32(canon, at + 1)
        else:
            return False
    return at == len(canon)


def _imports(payload: bytes) -> Iterator[str]:
    """Yield the names of a component's imports."""
    count, at = u32(payload, 0)
    for _ in range(count):
        if payload[at] > 1:
            raise ValueError("a name of another kind")
        name, at = text(payload, at + 1)
        yield name
        at = _described(payload, at)


def _is_run(payload: bytes) -> bool:
    """Whether the exports are wasi:cli/run alone."""
    count, at = u32(payload, 0)
    if payload[at] > 1:
        raise ValueError("a name of another kind")
    name, _ = text(payload, at + 1)
    return count == 1 and bool(_RUN.fullmatch(name))


def _described(payload: bytes, at: int) -> int:
    """Return the position after the description of an import."""
    kind = payload[at]
    if kind == 3 and payload[at + 1] == 1:  # A new resource type.
        return at + 2
    # A module and a type have a byte more before their index.
    _, after = u32(payload, at + (2 if kind in (0, 3) else 1))
    return after


def _known(name: str, interfaces: Collection[str]) -> bool:
    return name in interfaces or bool(re.fullmatch(r"wasi:[a-z]+/[a-z-]+@0\.2\.\d+", name))


def _module(wasm: bytes) -> _Module:
    imports: list[tuple[str, str]] = []
    exports: list[str] = []
    for number, _, begin, end in sections(wasm):
        payload = wasm[begin:end]
        if number == _CORE_IMPORT:
            count, at = u32(payload, 0)
            for _ in range(count):
                module, at = text(payload, at)
                name, at = text(payload, at)
                at = _imported(payload, at)
                imports.append((module, name))
        elif number == _CORE_EXPORT:
            count, at = u32(payload, 0)
            for _ in range(count):
                name, at = text(payload, at)
                _, at = u32(payload, at + 1)
                exports.append(name)
    return _Module(tuple(imports), tuple(exports))


def _imported(payload: bytes, at: int) -> int:
    """Return the position after the type of a core import."""
    kind = payload[at]
    if kind == 0:
        return u32(payload, at + 1)[1]
    if kind == 3:
        return at + 3
    if kind not in (1, 2):
        raise ValueError("an import of another kind")
    at += 2 if kind == 1 else 1
    flags = payload[at]
    _, at = u32(payload, at + 1)
    return u32(payload, at)[1] if flags & 1 else at
