"""Hosts that are broken on purpose, one for each case, which that case must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.conformance.case import Call
from pipeline.conformance.cases.all_cases import CASES
from pipeline.host.abi import memory


@dataclass
class Served:
    """One call on its way: the host that would serve it, and what came before."""

    answer: Callable[[str, list[int]], int]
    guest: Any
    name: str
    values: list[int]
    before: list[tuple[str, list[int], int]]
    kept: dict[str, Any] = field(default_factory=dict)

    def properly(self) -> int:
        return self.answer(self.name, self.values)

    def count(self, name: str) -> int:
        return sum(1 for each, _, errno in self.before if each == name and errno == 0)

    def u32(self, at: int) -> int:
        return memory.read_u32s(self.guest.data(), "a word", at, 1)[0]

    def poke(self, at: int, data: bytes) -> None:
        memory.write(self.guest.data(), "a fault", at, data)

    def peek(self, at: int, size: int) -> bytes:
        return memory.read(self.guest.data(), "a look", at, size)


Fault = Callable[[Served], int]


def accepts(name: str) -> Fault:
    """A host that says success to what it refused."""

    def fault(call: Served) -> int:
        errno = call.properly()
        return 0 if call.name == name else errno

    return fault


def answers(name: str, errno: int, after: int = 0) -> Fault:
    """A host that has but this answer, from some successful call on."""

    def fault(call: Served) -> int:
        if call.name == name and call.count(name) >= after:
            return errno
        return call.properly()

    return fault


def only(name: str) -> Callable[[Fault], Fault]:
    def made(change: Fault) -> Fault:
        return lambda call: change(call) if call.name == name else call.properly()

    return made


@only("get_output")
def tells_another_size(call: Served) -> int:
    errno = call.properly()
    call.poke(call.values[4], (12).to_bytes(4, "little"))
    return errno


@only("get_output")
def garbles(call: Served) -> int:
    errno = call.properly()
    call.poke(call.values[2], b"\xff")
    return errno


@only("get_output")
def clears_the_rest(call: Served) -> int:
    errno = call.properly()
    if errno == 0:
        written = call.u32(call.values[4])
        call.poke(call.values[2] + written, bytes(call.values[3] - written))
    return errno


@only("get_output")
def gives_the_first_output_again(call: Served) -> int:
    errno = call.properly()
    first = call.kept.setdefault("first", call.peek(call.values[2], 16))
    call.poke(call.values[2], first)
    return errno


@only("get_output")
def gives_once(call: Served) -> int:
    errno = call.properly()
    if call.count("get_output"):
        call.poke(call.values[2], bytes(16))
    return errno


def swaps(name: str, at: int) -> Fault:
    """A host that takes input or output 0 for 1."""

    def fault(call: Served) -> int:
        if call.name == name and call.values[at] < 2:
            call.values[at] = 1 - call.values[at]
        return call.properly()

    return fault


def refuses_odd_addresses(call: Served) -> int:
    return 1 if call.name == "set_input" and call.values[2] % 4 else call.properly()


def has_one_context(call: Served) -> int:
    if call.name in ("set_input", "compute", "get_output"):
        call.values[0] = 0
    return call.properly()


@only("set_input")
def reads_four_bytes_of_type(call: Served) -> int:
    return 1 if any(call.peek(call.values[2] + 9, 3)) else call.properly()


@only("set_input")
def has_one_shape(call: Served) -> int:
    return 1 if call.count("set_input") else call.properly()


@only("set_input")
def keeps_the_first(call: Served) -> int:
    return 0 if call.count("set_input") else call.properly()


@only("set_input")
def takes_f32_alone(call: Served) -> int:
    return call.properly() if call.peek(call.values[2] + 8, 1) == b"\x01" else 1


def aliases(call: Served) -> int:
    """A host that looks at the guest's memory only when it computes."""
    if call.name == "compute":
        for name, values, _ in list(call.before):
            if name == "set_input":
                call.answer(name, list(values))
    return call.properly()


def reuses_handles(call: Served) -> int:
    errno = call.properly()
    if call.name == "load" and call.count("unload"):
        call.poke(call.values[4], bytes(4))
    return errno


def gives_one_handle(call: Served) -> int:
    errno = call.properly()
    if call.name == "load_by_name":
        call.poke(call.values[2], bytes(4))
    return errno


_OF_THEIR_OWN: Mapping[str, Fault] = {
    "load-infer": tells_another_size,
    "load-misaligned": refuses_odd_addresses,
    "load-onnx": answers("load", 5),
    "load-tensorflow": answers("load", 5),
    "load-tensorflowlite": answers("load", 5),
    "load-target-gpu": answers("load", 5),
    "load-handles": answers("load", 7, after=4),
    "name-found": answers("load_by_name", 8),
    "name-with-config": answers("load_by_name_with_config", 8),
    "name-twice": gives_one_handle,
    "contexts-isolated": has_one_context,
    "input-padding": reads_four_bytes_of_type,
    "input-dynamic": has_one_shape,
    "input-copied": aliases,
    "input-last-wins": keeps_the_first,
    "input-same-tensor": keeps_the_first,
    "input-two": swaps("set_input", 1),
    "output-larger-buffer": clears_the_rest,
    "output-twice": gives_once,
    "output-several": swaps("get_output", 1),
    "output-reread": gives_the_first_output_again,
    "type-f16": takes_f32_alone,
    "type-f64": takes_f32_alone,
    "type-u8": takes_f32_alone,
    "type-i32": garbles,
    "type-i64": garbles,
    "unload-handle-not-reused": reuses_handles,
}
# A guest without memory, and what a host passes on, are judged from outside.
FROM_OUTSIDE = {"memory-not-exported", "streams", "exit-200"}


def faults() -> dict[str, Fault]:
    """Return the broken host of each case: without one of its own, it accepts what it may not."""
    found = dict(_OF_THEIR_OWN)
    for case in CASES:
        refusals = [step for step in case.steps if isinstance(step, Call) and 0 in step.unsafe]
        if case.name not in found and case.name not in FROM_OUTSIDE:
            found[case.name] = accepts(refusals[0].function)
    return found
