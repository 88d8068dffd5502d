"""Report all schema errors of a file, not only the first.

msgspec stops at its first error. This walks the same types over the same data, reports every
error, and replaces an invalid value by a placeholder of the right type, so that the checks across
keys still run on the rest.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import inspect

from pipeline.cache.json_decoding import convert_value
from pipeline.config.key_docs import key_docs
from pipeline.config.mistake import Mistake
from pipeline.config.wording import Path, closest, did_you_mean, dotted, listing, quoted, shown

T = TypeVar("T", bound=msgspec.Struct)


class Checked(msgspec.Struct, Generic[T], frozen=True):
    """A table with its errors.

    ``value`` is complete: invalid values are replaced by placeholders, whose paths are
    ``broken``.
    """

    value: T
    findings: tuple[Mistake, ...]
    broken: frozenset[Path]


def check_schema(data: dict[str, object], table: type[T]) -> Checked[T]:
    """Return the table in ``data``, and all its schema errors.

    There are findings exactly if msgspec rejects ``data``.
    """
    walk = _Walk()
    value = walk.read(data, inspect.type_info(table), ())
    if not walk.findings:
        # The walk checks fewer limits than msgspec, which decides.
        try:
            convert_value(data, table)
        except msgspec.ValidationError as error:
            walk.findings.append(Mistake((), f"Invalid {table.__name__}: {error}."))
    return Checked(cast("T", value), tuple(walk.findings), frozenset(walk.broken))


class _Walk:
    def __init__(self) -> None:
        self.findings: list[Mistake] = []
        self.broken: set[Path] = set()

    def read(self, value: object, kind: inspect.Type, path: Path) -> object:
        """Return ``value`` as ``kind``, or a placeholder after reporting why not."""
        described, kind = kind, _present(kind)
        if not _accepts(value, kind):
            return self._refuse(value, described, path)
        match kind, value:
            case inspect.StructType(), dict():
                return self._table(value, kind, path)
            case inspect.DictType(value_type=inner), dict():
                return {key: self.read(item, inner, (*path, key)) for key, item in value.items()}
            case inspect.VarTupleType(item_type=inner), list():
                return self._array(value, (inner,) * len(value), path)
            case inspect.TupleType(item_types=inners), list():
                return self._array(value, inners, path)
            case inspect.FloatType(), int():
                return float(value)
        return value

    def _array(self, items: list[object], kinds: tuple[inspect.Type, ...], path: Path) -> object:
        pairs = zip(items, kinds, strict=True)
        return tuple(
            self.read(item, kind, (*path, str(index))) for index, (item, kind) in enumerate(pairs)
        )

    def _table(self, data: dict[str, object], kind: inspect.StructType, path: Path) -> object:
        fields = {field.name: field for field in kind.fields}
        written = {key: key for key in data if key in fields}
        absent = fields.keys() - written.keys()
        for key in sorted(data.keys() - fields.keys()):
            suggestion = closest(key, sorted(absent))
            self._report(
                (*path, key),
                f"Unknown key {quoted(key)} {_within(path)}" + did_you_mean(suggestion),
                expected=f"one of {listing(fields)}",
                found=quoted(key),
            )
            if suggestion:
                # A misspelt key is one error, not also a missing key; its value is still checked.
                absent.discard(suggestion)
                self.broken.add((*path, suggestion))
                written[suggestion] = key
        read = {
            name: self.read(data[key], fields[name].type, (*path, key))
            for name, key in written.items()
        }
        for name in (name for name in fields if name in absent and fields[name].required):
            self.broken.add((*path, name))
            self._report(
                (*path, name),
                f"Missing key '{name}' {_within(path)}.",
                expected=_described(fields[name].type),
                hint=key_docs(kind.cls).get(name, ""),
            )
            read[name] = _neutral(fields[name].type)
        return kind.cls(**read)

    def _refuse(self, value: object, kind: inspect.Type, path: Path) -> object:
        self.broken.add(path)
        present = _present(kind)
        suggestion = ""
        if isinstance(present, inspect.LiteralType) and isinstance(value, str):
            suggestion = closest(
                value, [known for known in present.values if isinstance(known, str)]
            )
        self._report(
            path,
            f"Invalid value of {dotted(path)}" + did_you_mean(suggestion),
            expected=_described(kind),
            found=shown(value),
        )
        return suggestion or _neutral(kind)

    def _report(
        self,
        path: Path,
        message: str,
        *,
        expected: str = "",
        found: str = "",
        hint: str = "",
    ) -> None:
        self.findings.append(Mistake(path, message, expected, found, hint))


def _within(path: Path) -> str:
    return f"in [{dotted(path)}]" if path else "at the top level"


def _present(kind: inspect.Type) -> inspect.Type:
    """Return X of ``X | None``: TOML has no null, so a key that is present is an X."""
    if isinstance(kind, inspect.Metadata):
        return _present(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _present(next(one for one in kind.types if not isinstance(one, inspect.NoneType)))
    return kind


def _accepts(value: object, kind: inspect.Type) -> bool:
    """Return whether a value has the right type and limits, without checking its items."""
    match kind, value:
        case inspect.StructType(), dict():
            return True
        case inspect.DictType(min_length=least), dict():
            return len(value) >= (least or 0)
        case inspect.VarTupleType(min_length=least), list():
            return len(value) >= (least or 0)
        case inspect.TupleType(item_types=inners), list():
            return len(value) == len(inners)
        case inspect.LiteralType(values=known), str() | int():
            # True == 1 in Python, but not in TOML.
            return any(value == one and type(value) is type(one) for one in known)
        case inspect.StrType(min_length=least, pattern=pattern), str():
            return len(value) >= (least or 0) and bool(re.search(pattern or "", value))
        case inspect.BoolType(), bool():
            return True
        case _, bool():
            return False
        case inspect.IntType(), int():
            return _is_within(value, kind)
        case inspect.FloatType(), int() | float():
            return _is_within(value, kind)
    return False


def _is_within(value: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    # An integer of that many bits does not fit a float.
    if isinstance(kind, inspect.FloatType) and isinstance(value, int) and value.bit_length() > 1023:
        return False
    # Written so that NaN, for which no comparison holds, is outside.
    return (
        (kind.gt is None or value > kind.gt)
        and (kind.ge is None or value >= kind.ge)
        and (kind.le is None or value <= kind.le)
    )


def _neutral(kind: inspect.Type) -> object:
    """Return a placeholder of the type; it may violate the type's limits."""
    kind = _present(kind)
    match kind:
        case inspect.StructType():
            required = (field for field in kind.fields if field.required)
            return kind.cls(**{field.name: _neutral(field.type) for field in required})
        case inspect.DictType():
            return {}
        case inspect.VarTupleType(item_type=inner, min_length=least):
            return (_neutral(inner),) * (least or 0)
        case inspect.TupleType(item_types=inners):
            return tuple(_neutral(inner) for inner in inners)
        case inspect.LiteralType(values=known):
            return known[0]
        case inspect.BoolType():
            return False
        case inspect.IntType():
            return 1
        case inspect.FloatType():
            return 1.0
        case inspect.StrType(min_length=least):
            return "?" * (least or 0)
    raise TypeError(f"no placeholder for the schema type {kind}")


def _described(kind: inspect.Type) -> str:
    """Return a description of the type's values, with an article."""
    match kind:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return str((extra or {}).get("description") or _described(inner))
        case inspect.UnionType(types=kinds):
            present = (one for one in kinds if not isinstance(one, inspect.NoneType))
            return _described(next(present))
        case inspect.StructType():
            return "a table"
        case inspect.DictType(min_length=least):
            return "a table" + (f" with at least {least} entry" if least else "")
        case inspect.VarTupleType(item_type=inner, min_length=least):
            return f"an array of {least or 0} or more, each {_described(inner)}"
        case inspect.TupleType(item_types=inners):
            return f"an array of {len(inners)}, each {_described(inners[0])}"
        case inspect.LiteralType(values=known):
            return f"one of {listing(map(str, known))}"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer" + _limits(kind)
        case inspect.FloatType():
            return "a number" + _limits(kind)
        case inspect.StrType(min_length=least):
            return "a string" + (" that is not empty" if least else "")
    raise TypeError(f"no description of the schema type {kind}")


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    limits = ((">", kind.gt), (">=", kind.ge), ("<=", kind.le))
    text = " and ".join(f"{sign} {limit:g}" for sign, limit in limits if limit is not None)
    return f" {text}" if text else ""
