"""Hosts of components that are broken on purpose, one for each case, which that case must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.conformance.cases import components
from pipeline.host.abi.wit import TensorResource, Wit, WitFunction
from pipeline.host.abi.wit_types import CONTEXT, ELEMENTS, ErrorReturn, String
from pipeline.host.component import canonical
from pipeline.host.component.canonical import CanonicalGuest
from pipeline.host.component.handle_table import HandleTable
from pipeline.host.session.error import GuestTrap
from pipeline.host.session.handles import Handles
from pipeline.host.session.session import Session

# Changes the embedded host.
Break = Callable[[pytest.MonkeyPatch], None]
# Serves a call: the face, the proper function, and its values.
_Serve = Callable[[Wit, WitFunction, tuple[Any, ...]], Any]


def serving(name: str, serve: _Serve) -> Break:
    """A host whose function of a name is another."""

    def broken(patch: pytest.MonkeyPatch) -> None:
        real = Wit.function

        def function(face: Wit, asked: str) -> WitFunction:
            proper = real(face, asked)
            if asked != name:
                return proper
            return lambda *values: serve(face, proper, values)

        patch.setattr(Wit, "function", function)

    return broken


def accepting(name: str, result: object) -> Break:
    """A host that says success to what it refused."""

    def serve(_face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
        returned = proper(*values)
        return result if isinstance(returned, ErrorReturn) else returned

    return serving(name, serve)


def trapping(name: str) -> Break:
    def serve(*_: object) -> Any:
        raise GuestTrap("this host ends the guest")

    return serving(name, serve)


def zeros(_face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    return bytes(len(proper(*values)))


def another_type(_face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    names = list(ELEMENTS)
    return names[names.index(proper(*values)) - 1]


def by_position(_face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    context, inputs = values
    return proper(context, [(str(at), tensor) for at, (_, tensor) in enumerate(inputs)])


def into_the_old_outputs(face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    returned = proper(*values)
    if isinstance(returned, list):
        last = face.tensors.get(returned[0][1])
        for handle, _ in face.tensors.items():
            face.tensors.by_handle[handle] = last
    return returned


def of_the_guests_memory(face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    handle = proper(*values)
    dims, kind, data = values
    face.tensors.by_handle[handle] = TensorResource(dims, ELEMENTS[kind], data)
    return handle


def not_found(face: Wit, proper: WitFunction, values: tuple[Any, ...]) -> Any:
    return proper("another", *values[1:])


def empty_texts(_face: Wit, _proper: WitFunction, _values: tuple[Any, ...]) -> Any:
    return ""


def ending_contexts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Session, "drop_graph", lambda session, _graph: session.contexts.by_handle.clear())


def ending_outputs(patch: pytest.MonkeyPatch) -> None:
    real = Wit.drop

    def drop(face: Wit, resource: str, number: int) -> None:
        real(face, resource, number)
        if resource == CONTEXT:
            face.tensors.by_handle.clear()

    patch.setattr(Wit, "drop", drop)


def keeping_handles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HandleTable, "remove", HandleTable.get)
    patch.setattr(Handles, "remove", Handles.get)


def of_any_kind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HandleTable, "get", lambda table, handle, _kind: table._entries[handle][1])


def taking_any_number(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(HandleTable, "get", lambda _table, _handle, _kind: 0)


def taking_any_case(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_case", lambda kind, _number: kind.cases[0])


def taking_odd_pointers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_aligned", lambda at, _align, _what: at)


def cutting_at_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(canonical, "_part", lambda whole, _what, at, size: whole[at : at + size])


def replacing_what_is_not_utf8(patch: pytest.MonkeyPatch) -> None:
    real = CanonicalGuest._listed

    def listed(guest: CanonicalGuest, whole: memoryview, kind: Any, at: int, size: int) -> Any:
        if isinstance(kind, String):
            return bytes(whole[at : at + size]).decode(errors="replace")
        return real(guest, whole, kind, at, size)

    patch.setattr(CanonicalGuest, "_listed", listed)


_ZEROS = serving("tensor.data", zeros)
_ACCEPTED = accepting("compute", [])

BROKEN: Mapping[str, Break] = {
    "infer": _ZEROS,
    "infer-by-name": serving("load-by-name", not_found),
    "load-garbage": accepting("load", 0),
    "load-one-part": serving("error.data", empty_texts),
    "load-no-part": accepting("load", 0),
    "load-ggml": accepting("load", 0),
    "load-tpu": accepting("load", 0),
    "name-unknown": accepting("load-by-name", 0),
    **{f"tensor-{name.lower()}": serving("tensor.ty", another_type) for name in ELEMENTS},
    **{f"infer-{name}": _ZEROS for name in ("f16", "f64", "u8", "i32", "i64")},
    "tensor-misaligned": _ZEROS,
    **dict.fromkeys(("data-short", "data-long", "data-empty"), _ACCEPTED),
    **dict.fromkeys(("dims-other", "dims-rank", "dims-zero", "dims-huge"), _ACCEPTED),
    **dict.fromkeys(("type-other", "type-bf16"), _ACCEPTED),
    "inputs-any-order": serving("compute", by_position),
    **dict.fromkeys(("input-missing", "input-missing-first", "inputs-none"), _ACCEPTED),
    "inputs-of-before": _ACCEPTED,
    "input-unknown": serving("compute", by_position),
    **dict.fromkeys(("input-twice", "input-index", "dynamic-empty"), trapping("compute")),
    "two-outputs": _ZEROS,
    "output-name": trapping("compute"),
    "graph-dropped": ending_contexts,
    "output-outlives": ending_outputs,
    "output-kept": serving("compute", into_the_old_outputs),
    "tensor-copied": serving("tensor.constructor", of_the_guests_memory),
    "contexts-isolated": serving("compute", into_the_old_outputs),
    "tensor-given-twice": keeping_handles,
    "tensor-consumed-by-failure": keeping_handles,
    "handle-dropped": keeping_handles,
    "handle-dropped-twice": keeping_handles,
    "handle-of-another-kind": of_any_kind,
    "handle-unknown": taking_any_number,
    "encoding-unknown": taking_any_case,
    "type-unknown": taking_any_case,
    "dims-misaligned": taking_odd_pointers,
    "data-out-of-bounds": cutting_at_the_end,
    "name-not-utf8": replacing_what_is_not_utf8,
}
CASES = components.cases()
