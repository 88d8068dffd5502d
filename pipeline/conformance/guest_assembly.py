"""Assemble a case as a guest: WebAssembly text that makes the calls and prints `ok` or differences.

The guest prints a line for each unexpected result, which starts with `differs:` or `unsafe:`, and
finally `ok` or `end`. It imports only wasi-nn, fd_write and proc_exit.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.conformance.case import (
    END,
    At,
    Call,
    Case,
    DataSegment,
    Exit,
    ExpectBytes,
    LoadU32,
    Print,
    SkipUnlessSuccess,
    Write,
)
from pipeline.host.abi.enums import FUNCTIONS, MODULE

_WASI = "wasi_snapshot_preview1"
_PAGE = 65536
# Below it are the iovec (0), the number of bytes written (8), the failure flag (12), the last errno
# (16) and the digits of a number (32).
_FIRST = 64
_UNSAFE_MISSING = 3

# $say prints bytes, $number an errno, $check compares an errno and reports; $holds compares bytes.
_RUNTIME = """
  (func $say (param $stream i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $number (param $value i32) (local $at i32)
    (local.set $at (i32.const 48))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
      (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
      (br_if $more (local.get $value)))
    (call $say (i32.const 1) (local.get $at) (i32.sub (i32.const 48) (local.get $at))))
  (func $check (param $got i32) (param $good i32) (param $unsafe i32)
      (param $at i32) (param $size i32) (param $told i32) (param $told_size i32) (result i32)
    (i32.store (i32.const 16) (local.get $got))
    (if (i32.and (i32.lt_u (local.get $got) (i32.const 32))
                 (i32.and (i32.shr_u (local.get $good) (local.get $got)) (i32.const 1)))
      (then (return (i32.const 0))))
    (i32.store (i32.const 12) (i32.const 1))
    (if (i32.and (i32.lt_u (local.get $got) (i32.const 32))
                 (i32.and (i32.shr_u (local.get $unsafe) (local.get $got)) (i32.const 1)))
      (then (call $say (i32.const 1) (i32.const {unsafe}) (i32.const 8)))
      (else (call $say (i32.const 1) (i32.const {differs}) (i32.const 9))))
    (call $say (i32.const 1) (local.get $at) (local.get $size))
    (call $number (local.get $got))
    (call $say (i32.const 1) (local.get $told) (local.get $told_size))
    (i32.const 1))
  (func $holds (param $place i32) (param $expected i32) (param $count i32)
      (param $at i32) (param $size i32) (local $i i32)
    (block $differ
      (loop $next
        (if (i32.ge_u (local.get $i) (local.get $count)) (then (return)))
        (br_if $differ
          (i32.ne (i32.load8_u (i32.add (local.get $place) (local.get $i)))
                  (i32.load8_u (i32.add (local.get $expected) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.store (i32.const 12) (i32.const 1))
    (call $say (i32.const 1) (local.get $at) (local.get $size)))
"""


def assemble(case: Case) -> str:
    """Return the guest of a case as WebAssembly text."""
    return _Assembly(case).text()


class _Assembly:
    """Address allocation for one guest."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._free = _FIRST
        self._segments: list[tuple[int, bytes]] = []
        self._constants: dict[bytes, int] = {}
        self._places: dict[str, int] = {}
        for place in (step for step in case.steps if isinstance(step, DataSegment)):
            size = sum(4 if isinstance(part, At) else len(part) for part in place.parts)
            self._places[place.label] = self._room(size, place.misalignment)

    def text(self) -> str:
        body = [line for step in self._case.steps for line in self._step(step)]
        runtime = _RUNTIME.replace("{unsafe}", str(self._constant(b"unsafe: "))).replace(
            "{differs}", str(self._constant(b"differs: "))
        )
        ok, end = self._constant(b"ok\n"), self._constant(b"end\n")
        # Allocated after everything else, so that the end of memory is known.
        pages = -(-self._free // _PAGE) + 1
        self._places[END] = pages * _PAGE
        for place in (step for step in self._case.steps if isinstance(step, DataSegment)):
            data = b"".join(
                struct.pack("<I", self._address(part)) if isinstance(part, At) else part
                for part in place.parts
            )
            self._segments.append((self._places[place.label], data))
        body = [self._resolved(line) for line in body]
        used = sorted({step.function for step in self._case.steps if isinstance(step, Call)})
        lines = [f";; {self._case.name}: {self._case.rule}", "(module"]
        lines += [
            f'  (import "{MODULE}" "{name}"'
            f" (func ${name} (param{' i32' * len(FUNCTIONS[name])}) (result i32)))"
            for name in used
        ]
        if not self._case.memory:
            return "\n".join([*lines, *self._mute(body, pages), ")\n"])
        lines += [
            f'  (import "{_WASI}" "fd_write"'
            " (func $fd_write (param i32 i32 i32 i32) (result i32)))",
            f'  (import "{_WASI}" "proc_exit" (func $proc_exit (param i32)))',
            f'  (memory (export "memory") {pages} {pages})',
            *(f'  (data (i32.const {at}) "{_escaped(data)}")' for at, data in self._segments),
            runtime.strip("\n"),
            '  (func (export "_start")',
            "    (block $end",
            *(f"      {line}" for line in body),
            *(f"      {line}" for line in self._last(ok)),
            "    )",
            f"    (call $say (i32.const 1) (i32.const {end}) (i32.const 4)))",
        ]
        return "\n".join([*lines, ")\n"])

    def _mute(self, body: Sequence[str], pages: int) -> list[str]:
        """Return a guest that cannot print: it exits with 0 if its call returns errno 3."""
        return [
            f'  (import "{_WASI}" "proc_exit" (func $proc_exit (param i32)))',
            f"  (memory {pages})",
            '  (func (export "_start")',
            *(f"    (call $proc_exit {line})" for line in body),
            "  )",
        ]

    def _last(self, ok: int) -> list[str]:
        if any(isinstance(step, Exit) for step in self._case.steps):
            return []
        return [
            "(br_if $end (i32.load (i32.const 12)))",
            f"(call $say (i32.const 1) (i32.const {ok}) (i32.const 3))",
            "(return)",
        ]

    def _step(self, step: object) -> list[str]:
        match step:
            case Call():
                return self._call(step)
            case ExpectBytes(label, expected, what, offset, unsafe):
                message = f"{'unsafe' if unsafe else 'differs'}: {what}\n".encode()
                return [
                    f"(call $holds {{{label}|{offset}}} (i32.const {self._constant(expected)})"
                    f" (i32.const {len(expected)}) {self._print(message)})"
                ]
            case Write(label, data):
                return [
                    f"(memory.copy {{{label}|0}} (i32.const {self._constant(data)})"
                    f" (i32.const {len(data)}))"
                ]
            case Print(stream, text):
                line = text.encode() + b"\n"
                return [f"(call $say (i32.const {stream}) {self._print(line)})"]
            case Exit(code):
                return [f"(call $proc_exit (i32.const {code}))"]
            case SkipUnlessSuccess():
                ok = self._constant(b"ok\n")
                return [
                    "(if (i32.load (i32.const 16)) (then",
                    f"  (call $say (i32.const 1) (i32.const {ok}) (i32.const 3)) (return)))",
                ]
        return []

    def _call(self, call: Call) -> list[str]:
        arguments = " ".join(self._argument(each) for each in call.arguments)
        made = f"(call ${call.function} {arguments})"
        if not self._case.memory:
            return [f"(i32.ne {made} (i32.const {_UNSAFE_MISSING}))"]
        message = f"{call.function} returned ".encode()
        expected = f", expected {' or '.join(map(str, call.expected))}\n".encode()
        checked = (
            f"(call $check {made} (i32.const {_mask(call.expected)})"
            f" (i32.const {_mask(call.unsafe)}) {self._print(message)} {self._print(expected)})"
        )
        return [f"(br_if $end {checked})" if call.needed else f"(drop {checked})"]

    def _argument(self, value: int | At | LoadU32) -> str:
        match value:
            case At(label, offset):
                return f"{{{label}|{offset}}}"
            case LoadU32(label):
                return f"(i32.load {{{label}|0}})"
        return f"(i32.const {value & 0xFFFFFFFF})"

    def _address(self, at: At) -> int:
        return (self._places[at.label] + at.offset) & 0xFFFFFFFF

    def _resolved(self, line: str) -> str:
        before, brace, rest = line.partition("{")
        if not brace:
            return line
        place, _, after = rest.partition("}")
        label, _, offset = place.partition("|")
        address = self._address(At(label, int(offset)))
        return f"{before}(i32.const {address}){self._resolved(after)}"

    def _print(self, text: bytes) -> str:
        return f"(i32.const {self._constant(text)}) (i32.const {len(text)})"

    def _constant(self, data: bytes) -> int:
        """Return the address of the guest's constant bytes, which no host can know."""
        if data not in self._constants:
            self._constants[data] = self._room(len(data), 0)
            self._segments.append((self._constants[data], data))
        return self._constants[data]

    def _room(self, size: int, misalignment: int) -> int:
        at = -(-self._free // 16) * 16 + misalignment
        self._free = at + size
        return at


def _mask(errnos: Sequence[int]) -> int:
    return sum(1 << each for each in set(errnos))


def _escaped(data: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02x}" for byte in data
    )
