"""Hosts that are broken on purpose, one for each case, which that case must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.conformance.case import Call
from pipeline.conformance.cases.all_cases import MODULE_CASES


@dataclass
class Served:
    """One call on its way: the host that would serve it, and what came before."""

    answer: Callable[[str, list[int], Any], int]
    guest: Any
    name: str
    values: list[int]
    before: list[tuple[str, list[int], int]]
    kept: dict[str, Any] = field(default_factory=dict)

    def properly(self) -> int:
        return self.answer(self.name, self.values, self.guest)

    def count(self, name: str) -> int:
        return sum(1 for each, _, errno in self.before if each == name and errno == 0)

    def u32(self, at: int) -> int:
        return int.from_bytes(self.peek(at, 4), "little")

    def poke(self, at: int, data: bytes) -> None:
        self.guest.data()[at : at + len(data)] = data

    def size(self) -> int:
        """The size of the guest's memory."""
        return len(self.guest.data())

    def peek(self, at: int, size: int) -> bytes:
        return bytes(self.guest.data()[at : at + size])


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
                call.answer(name, list(values), call.guest)
    return call.properly()


def reuses_handles(call: Served) -> int:
    """A host that still knows a handle when it was unloaded."""
    if call.name == "unload":
        return 0
    return call.properly()


def gives_one_handle(name: str, out: int) -> Fault:
    """A host that has the same handle for all."""

    def fault(call: Served) -> int:
        errno = call.properly()
        if call.name == name:
            call.poke(call.values[out], bytes(4))
        return errno

    return fault


@only("get_output")
def garbles_the_second(call: Served) -> int:
    """A host whose second output has bytes of its own."""
    errno = call.properly()
    if call.count("get_output"):
        call.poke(call.values[2], b"\xff")
    return errno


@only("set_input")
def reads_the_last_dims_wrongly(call: Served) -> int:
    dims = call.u32(call.values[2])
    return 1 if dims + 8 == call.size() else call.properly()


def returns_no_errno(name: str) -> Fault:
    """A host that returns a number which is no errno."""
    return answers(name, 42)


@only("get_output")
def returns_what_memory_held(call: Served) -> int:
    """A host that returns its own bytes where there is no output."""
    errno = call.properly()
    if errno:
        call.poke(call.values[2], b"\x7f\x45\x4c\x46" * 4)
        return 0
    return errno


@only("get_output")
def returns_the_old_output(call: Served) -> int:
    errno = call.properly()
    if errno == 0:
        call.kept["old"] = call.peek(call.values[2], 16)
    else:
        call.poke(call.values[2], call.kept["old"])
    return 0


@only("get_output")
def keeps_the_size_to_itself(call: Served) -> int:
    errno = call.properly()
    if errno == 7:
        call.poke(call.values[4], b"\xaa" * 4)
    return errno


def has_the_memory_of_the_start(call: Served) -> int:
    """A host that takes what lies behind the first size of memory for out of bounds."""
    size = call.kept.setdefault("size", call.size())
    pointers = {"set_input": call.values[2:3], "get_output": call.values[2:3]}
    return 1 if any(at >= size for at in pointers.get(call.name, ())) else call.properly()


@only("load_by_name")
def opens_files(call: Served) -> int:
    """A host that opens a file of a guest's name."""
    name = call.peek(call.values[0], call.values[1]).decode(errors="replace")
    return 0 if name.startswith("/") else call.properly()


def has_the_memory_of_one_instance(call: Served) -> int:
    """A host that takes every pointer for one of the instance that called first."""
    return call.answer(call.name, call.values, call.kept.setdefault("memory", call.guest))


_OF_THEIR_OWN: Mapping[str, Fault] = {
    "load-infer": tells_another_size,
    "load-misaligned": garbles,
    "load-onnx": garbles,
    "load-tensorflow": garbles,
    "load-tensorflowlite": garbles,
    "load-three-builders": accepts("load"),
    "load-four-builders": accepts("load"),
    "load-autodetect-5": garbles,
    "load-autodetect-6": returns_no_errno("load"),
    "load-target-gpu": returns_no_errno("load"),
    "load-target-tpu": returns_no_errno("load"),
    "load-target-auto": returns_no_errno("load"),
    "load-tensor-name": garbles,
    "load-handles": gives_one_handle("load", 4),
    "limit-graphs": answers("load", 7, after=4),
    "name-found": answers("load_by_name", 8),
    "name-host-path": opens_files,
    "name-with-config": garbles,
    "name-twice": has_one_context,
    "contexts-isolated": has_one_context,
    "limit-contexts": answers("init_execution_context", 7, after=4),
    "input-dims-at-end": reads_the_last_dims_wrongly,
    "input-padding": reads_four_bytes_of_type,
    "input-dynamic": has_one_shape,
    "input-dynamic-empty": tells_another_size,
    "input-copied": aliases,
    "input-last-wins": keeps_the_first,
    "input-same-tensor": keeps_the_first,
    "input-two": swaps("set_input", 1),
    "input-two-reversed": swaps("set_input", 1),
    "input-scalar": answers("set_input", 1),
    "input-scalar-empty-dims": garbles,
    "input-large": tells_another_size,
    "memory-grown-before": has_the_memory_of_the_start,
    "memory-grown-between": aliases,
    "compute-gather-out-of-range": garbles_the_second,
    "output-bytes-before-compute": returns_what_memory_held,
    "output-after-new-input": returns_the_old_output,
    "output-larger-buffer": clears_the_rest,
    "output-twice": gives_once,
    "output-several": swaps("get_output", 1),
    "output-reread": gives_the_first_output_again,
    "instances-two": has_the_memory_of_one_instance,
    "type-f16": takes_f32_alone,
    "type-f64": takes_f32_alone,
    "type-u8": takes_f32_alone,
    "type-i32": garbles,
    "type-i64": garbles,
    "type-numbers-2022": returns_no_errno("set_input"),
    "type-i8-as-u8": garbles,
    "type-boolean-as-u8": garbles,
    "unload-handle-not-reused": reuses_handles,
}
# A guest without memory, what a host passes on, and its time limit, are judged from outside.
FROM_OUTSIDE = {"memory-not-exported", "streams", "limit-seconds"}


def faults() -> dict[str, Fault]:
    """Return the broken host of each case: without one of its own, it accepts what it may not."""
    found = dict(_OF_THEIR_OWN)
    for case in MODULE_CASES:
        if case.name not in found and case.name not in FROM_OUTSIDE:
            calls = [step for step in case.steps if isinstance(step, Call) and 0 in step.unsafe]
            found[case.name] = accepts(calls[0].function)
    return found
