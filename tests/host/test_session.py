"""The session without an ABI, as a face that knows inputs by their names uses it."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from pipeline.host.backend import BackendError, Tuning
from pipeline.host.backend_registry import Backends
from pipeline.host.graph_registry import GraphRegistry, NamedGraph
from pipeline.host.model_types import Encoding, Target
from pipeline.host.session.error import Cause, WasiNnError, cause_of
from pipeline.host.session.session import Limits, Session
from tests.host.conftest import Ir


def session(models: dict[str, Ir], limits: Limits | None = None) -> Session:
    backends = Backends({}, Tuning())
    graph = NamedGraph("subtract", models["subtract"].folder)
    return Session(GraphRegistry(backends).named([graph]), backends, limits=limits)


def load(of: Session, ir: Ir) -> int:
    def parts(_names: tuple[str, ...]) -> Sequence[memoryview]:
        return memoryview(ir.xml), memoryview(ir.bin)

    return of.load(Encoding.OPENVINO, Target.CPU, 2, parts)


def data(*values: float) -> memoryview:
    return memoryview(struct.pack(f"<{len(values)}f", *values))


@pytest.mark.parametrize("by_name", [False, True])
def test_inputs_and_outputs_by_name(models: dict[str, Ir], by_name: bool) -> None:
    used = session(models)
    graph = used.load_by_name("subtract") if by_name else load(used, models["subtract"])
    context = used.contexts.get(used.init_context(graph))
    for name, values in (("subtrahend", (1, 2)), ("minuend", (5, 9))):
        used.set_input(context, context.input_index(name), "f32", (2,), data(*values))
    used.compute(context)
    name = context.output_ports[0].name
    assert used.output(context, context.output_index(name)).cast("f").tolist() == [4, 7]


def test_an_unknown_name_tells_those_there_are(models: dict[str, Ir]) -> None:
    used = session(models)
    context = used.contexts.get(used.init_context(used.load_by_name("subtract")))
    with pytest.raises(WasiNnError, match="minuend, subtrahend") as caught:
        context.input_index("x")
    assert caught.value.cause is Cause.INVALID_ARGUMENT
    with pytest.raises(WasiNnError, match="no output named"):
        context.output_index("x")


def test_a_failure_is_a_cause_and_a_sentence(models: dict[str, Ir]) -> None:
    used = session(models, Limits(graphs=1))
    used.load_by_name("subtract")
    with pytest.raises(WasiNnError) as caught:
        used.load_by_name("subtract")
    assert cause_of(caught.value)[0] is Cause.TOO_LARGE
    assert cause_of(BackendError("no such layer")) == (Cause.RUNTIME_ERROR, "no such layer")
    assert cause_of(MemoryError())[0] is Cause.TOO_LARGE
    assert cause_of(ZeroDivisionError("x"))[1] == "the host failed: ZeroDivisionError: x"


def test_a_refused_input_changes_nothing(models: dict[str, Ir]) -> None:
    used = session(models)
    context = used.contexts.get(used.init_context(load(used, models["subtract"])))
    for index in (0, 1):
        used.set_input(context, index, "f32", (2,), data(index, 3))
    used.compute(context)
    for element, dims, values in (("f32", (3,), (1, 2, 3)), ("i32", (2,), (1, 2))):
        with pytest.raises(WasiNnError):
            used.set_input(context, 0, element, dims, data(*values))
    with pytest.raises(WasiNnError):
        used.set_input(context, 2, "f32", (2,), data(1, 2))
    assert used.output(context, 0).cast("f").tolist() == [-1, 0]


def test_what_was_released_does_not_count(
    models: dict[str, Ir], monkeypatch: pytest.MonkeyPatch
) -> None:
    # So small a limit counts only what the session itself holds.
    monkeypatch.setattr("pipeline.host.session.session.resident_bytes", lambda: 0)
    size = len(models["subtract"].xml) + len(models["subtract"].bin) + 16
    used = session(models, Limits(bytes=size))
    for _ in range(3):
        graph = load(used, models["subtract"])
        for _ in range(3):
            handle = used.init_context(graph)
            context = used.contexts.get(handle)
            for index in (0, 1):
                used.set_input(context, index, "f32", (2,), data(1, 2))
            used.finalize(handle)
        used.unload(graph)
    load(used, models["subtract"])
    with pytest.raises(WasiNnError) as caught:
        load(used, models["subtract"])
    assert caught.value.cause is Cause.TOO_LARGE


def test_a_graph_counts_until_its_last_context_ends(models: dict[str, Ir]) -> None:
    ir = models["subtract"]
    size = len(ir.xml) + len(ir.bin)
    used = session(models, Limits(bytes=64 << 20))
    used.hold((64 << 20) - size)
    graph = load(used, ir)
    context = used.init_context(graph)
    used.drop_graph(graph)
    with pytest.raises(WasiNnError, match="more bytes"):
        load(used, ir)
    used.finalize(context)
    load(used, ir)
