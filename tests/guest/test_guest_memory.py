"""A guest's memory as a counter below the pages of adapters, on text as wasm-tools prints it."""

from __future__ import annotations

import pytest
import wasmtime

from pipeline.errors import Code, PipelineError
from pipeline.guest.component.componentize import ADAPTER
from pipeline.guest.component.guest_memory import OWN_SIZE, PAGE, reserve_memory

TEXT = """\
(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (result i32)))
  (memory (;0;) 2{most})
  (global (;0;) i32 i32.const 7)
  (export "memory" (memory 0))
  (export "grow" (func 0))
  (export "size" (func 1))
  (func (;0;) (type 0) (param i32) (result i32)
    local.get 0
    memory.grow
  )
  (func (;1;) (type 1) (result i32)
    memory.size
  )
  (data (;0;) (i32.const 8) "memory.size")
)
"""


class Guest:
    """The rewritten guest, with what it exports."""

    def __init__(self, text: str) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        instance = wasmtime.Instance(self.store, wasmtime.Module(engine, text), [])
        self.exports = instance.exports(self.store)

    def call(self, name: str, *arguments: int) -> int:
        return int(self.exports[name](self.store, *arguments))  # type: ignore[operator]

    @property
    def memory(self) -> wasmtime.Memory:
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return memory


@pytest.mark.parametrize(
    ("declared", "allowed", "most"), [("", 10, 10), (" 5", 10, 5), (" 99", 9, 9)]
)
def test_it_grows_without_gaps_up_to_its_maximum(declared: str, allowed: int, most: int) -> None:
    guest = Guest(reserve_memory(TEXT.format(most=declared), allowed, "guest.wasm"))
    assert guest.call("size") == 2
    assert guest.call("grow", 0) == 2
    # An adapter's page, of which the guest knows nothing.
    assert guest.memory.grow(guest.store, 1) == most
    assert guest.call("grow", 1) == 2
    assert (guest.call("size"), guest.call("wasi_nn_guest_pages")) == (3, 3)
    for more in (most - 2, -1, 2**31 - 1):
        assert guest.call("grow", more) == -1
    assert guest.call("grow", most - 3) == 3
    assert guest.call("grow", 1) == -1
    assert guest.call("size") == most
    assert guest.memory.size(guest.store) == most + 1
    assert bytes(guest.memory.read(guest.store, 8, 19)) == b"memory.size"


@pytest.mark.parametrize(
    ("old", "new", "allowed", "message"),
    [
        ("(memory (;0;) 2)", "(memory (;0;) 2)", 1, "larger at the start"),
        ("(memory (;0;) 2)", "(memory (;0;) i64 2)", 9, "one memory"),
        ("(memory (;0;) 2)", "(memory (;0;) 2 3 shared)", 9, "one memory"),
        ("(memory (;0;) 2)", "(memory (;0;) 2)\n  (memory (;1;) 2)", 9, "one memory"),
    ],
)
def test_another_memory_is_refused(old: str, new: str, allowed: int, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        reserve_memory(TEXT.format(most="").replace(old, new), allowed, "guest.wasm")
    assert (caught.value.code, caught.value.where) == (Code.GUEST_BUILD, "guest.wasm")


def test_the_adapter_has_the_function_that_is_replaced() -> None:
    assert ADAPTER.read_text().count(OWN_SIZE) == 1
    assert PAGE == 65536
