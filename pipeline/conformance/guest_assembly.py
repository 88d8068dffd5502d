"""Assemble a case as a guest: WebAssembly text that makes the calls and prints `ok` or differences.

The guest prints a line on stdout for each unexpected result, which starts with `differs:`,
`unsafe:` or `not offered:`, and exits with 1 if there was one; a result that conforms but is not
the recommended one is a line on stderr that starts with `choice:`. Around a call that may trap it
prints `may trap:` and `returned`. It imports only wasi-nn, and fd_write, proc_exit, args_sizes_get
and args_get of WASI.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pipeline.conformance.case import (
    END,
    ERRORS,
    At,
    Call,
    CallSecond,
    Case,
    DataSegment,
    Exit,
    ExpectAdvised,
    ExpectBytes,
    ExpectUnlike,
    Forever,
    Grow,
    Level,
    LoadU32,
    OnSuccess,
    Print,
    ReadArgument,
    ReportFailure,
    SkipUnlessSuccess,
    Step,
    Write,
    all_steps,
)
from pipeline.conformance.component_runtime import COMPONENT_RUNTIME, EMPTY
from pipeline.conformance.component_text import component, imports
from pipeline.conformance.guest_runtime import ARGUMENTS, RUNTIME, WASI_IMPORTS
from pipeline.conformance.second_instance import NAME
from pipeline.host.abi.enums import FUNCTIONS, MODULE

_PAGE = 65536
# Below it are the iovec (0), the number of bytes written (8), the failure flag (12), the last errno
# (16) and the digits of a number (32).
_FIRST = 64
_MISSING_MEMORY, _UNSUPPORTED = 3, 6
# The exit code of a guest that cannot print is this plus the errno, and 0 for missing_memory.
MUTE_EXIT = 64
# Room for the pointers and the bytes of the guest's arguments.
_ARGUMENTS_SIZE = 64 + 16384


def assemble(case: Case) -> str:
    """Return the guest of a case as WebAssembly text."""
    return _Assembly(case).text()


def assemble_calls(case: Case) -> str:
    """Return the calls of a case alone, without checks and output, as WebAssembly text.

    Expectations are comments. It is for reading and for a bug report. Of a component it is the
    whole text, since its calls need what is around them.
    """
    if case.component:
        return assemble(case)
    return _Assembly(case, checks=False).text()


def stdout_of(case: Case) -> str:
    """Return what the guest prints on stdout on a host that conforms and does not trap it.

    Meaningless for a case whose steps depend on what the host answers.
    """
    if not case.memory:
        return ""
    lines = []
    for step in case.steps:
        if isinstance(step, Call) and step.may_trap:
            lines.append(f"may trap: {step.function}\n")
            if step.must_trap:
                return "".join(lines)
            lines.append("returned\n")
        elif isinstance(step, Print) and step.stream == 1:
            lines.append(step.text + "\n")
    return "".join([*lines, "" if case.exit_code else "ok\n"])


class _Assembly:
    """Address allocation for one guest."""

    def __init__(self, case: Case, *, checks: bool = True) -> None:
        self._case = case
        self._checks = checks
        self._free = _FIRST
        self._segments: list[tuple[int, bytes]] = []
        self._constants: dict[bytes, int] = {}
        self._places: dict[str, int] = {}
        self._steps = all_steps(case.steps)
        for step in self._steps:
            if isinstance(step, DataSegment):
                size = sum(4 if isinstance(part, At) else len(part) for part in step.parts)
                self._places[step.label] = self._room(size, step.misalignment)
            elif isinstance(step, ReadArgument):
                self._places[step.label] = self._room(8, 0)
                self._places["arguments"] = self._room(_ARGUMENTS_SIZE, 0)

    def text(self) -> str:
        body = [line for step in self._case.steps for line in self._step(step)]
        runtime = RUNTIME
        for name, constant in (
            ("unsafe", b"unsafe: "),
            ("differs", b"differs: "),
            ("choice", b"choice: "),
            ("absent", b"not offered: "),
            ("ok", b"ok\n"),
            ("end", b"end\n"),
        ):
            if self._checks and self._case.memory:
                runtime = runtime.replace(f"{{{name}}}", str(self._constant(constant)))
        empty = self._constant(EMPTY) if self._case.component else 0
        # Allocated after everything else, so that the end of memory is known.
        pages = -(-self._free // _PAGE) + 1
        self._places[END] = pages * _PAGE
        for place in (step for step in self._steps if isinstance(step, DataSegment)):
            data = b"".join(
                struct.pack("<I", self._address(part)) if isinstance(part, At) else part
                for part in place.parts
            )
            self._segments.append((self._places[place.label], data))
        body = [self._resolved(line) for line in body]
        used = sorted({step.function for step in self._steps if isinstance(step, Call)})
        most = pages + sum(step.pages for step in self._steps if isinstance(step, Grow))
        if self._case.component:
            for name, value in (
                ("heap", pages * _PAGE),
                ("empty", empty),
                ("empty-size", len(EMPTY)),
            ):
                runtime += "" if name != "heap" else COMPONENT_RUNTIME
                runtime = runtime.replace(f"{{{name}}}", str(value))
            return component("\n".join(self._component_module(body, runtime, pages)))
        second = self._case.second
        export = ' (export "memory")' if self._case.memory else ""
        lines = [
            f";; {self._case.title}: {self._case.rule}",
            "(module",
            *(
                f'  (import "{MODULE}" "{name}"'
                f" (func ${name} (param{' i32' * len(FUNCTIONS[name])}) (result i32)))"
                for name in used
            ),
            *([f'  (import "{NAME}" "run" (func $second (result i32)))'] * bool(second)),
            *self._wasi_imports(),
            f"  (memory{export} {pages} {most})",
            *self._data(),
        ]
        if not self._case.memory:
            lines += ['  (func (export "_start") (local $errno i32)', *_indented(body, 4), "  ))"]
        elif not self._checks:
            lines += ['  (func (export "_start")', *_indented(body, 4), "  ))"]
        else:
            if self._reads_arguments():
                lines.append(ARGUMENTS.strip("\n"))
            lines += [
                runtime.strip("\n"),
                '  (func (export "_start")',
                "    (block $end",
                *_indented(body, 6),
                "    )",
                "    (call $finish)))",
            ]
        return "\n".join(lines) + "\n"

    def _component_module(self, body: list[str], runtime: str, pages: int) -> list[str]:
        """Return the program of a component, which has no maximum of memory."""
        return [
            f";; {self._case.title}: {self._case.rule}",
            "(core module $main-module",
            imports(),
            f'  (memory (export "memory") {pages})',
            *self._data(),
            runtime.strip("\n"),
            '  (func (export "_start")',
            "    (block $end",
            *_indented(body, 6),
            "    )",
            "    (call $finish)))",
        ]

    def _data(self) -> list[str]:
        """Return the data segments; without checks, each with the label of its place."""
        labels = {} if self._checks else {at: f" ;; {label}" for label, at in self._places.items()}
        return [
            f'  (data (i32.const {at}) "{_escaped(data)}"){labels.get(at, "")}'
            for at, data in self._segments
        ]

    def _reads_arguments(self) -> bool:
        return any(isinstance(step, ReadArgument) for step in self._steps)

    def _wasi_imports(self) -> list[str]:
        wanted = []
        if self._reads_arguments() and self._checks:
            wanted += ["args_sizes_get", "args_get"]
        if self._checks and self._case.memory:
            wanted.append("fd_write")
        if self._checks:
            wanted.append("proc_exit")
        return [WASI_IMPORTS[name] for name in wanted]

    def _step(self, step: Step) -> list[str]:
        if not self._checks:
            return self._bare(step)
        match step:
            case Call():
                return self._call(step)
            case ExpectBytes(label, expected, what, offset, unsafe):
                message = f"{'unsafe' if unsafe else 'differs'}: {what}\n".encode()
                return [
                    f"(drop (call $holds {{{label}|{offset}}}"
                    f" (i32.const {self._constant(expected)}) (i32.const {len(expected)})"
                    f" (i32.const 1) {self._print(message)}))"
                ]
            case ExpectAdvised(label, expected, what):
                return [
                    f"(drop (call $holds {{{label}|0}} (i32.const {self._constant(expected)})"
                    f" (i32.const {len(expected)}) (i32.const 2)"
                    f" {self._print(f'choice: {what}{chr(10)}'.encode())}))"
                ]
            case ExpectUnlike(label, other, what):
                return [
                    f"(if (i32.eq (i32.load {{{label}|0}}) (i32.load {{{other}|0}})) (then",
                    *_indented(self._report(what, unsafe=True), 2),
                    "))",
                ]
            case Grow(pages):
                return [
                    f"(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then",
                    *_indented(self._report("memory.grow failed", unsafe=False), 2),
                    "  (br $end)))",
                ]
            case ReadArgument(label):
                return [f"(call $argument {{arguments|0}} {{{label}|0}})"]
            case Print(stream, text):
                line = text.encode() + b"\n"
                return [f"(call $say (i32.const {stream}) {self._print(line)})"]
            case ReportFailure(what, unsafe):
                return self._report(what, unsafe=unsafe)
            case Exit(code):
                return [
                    f"(if (i32.eqz (i32.load (i32.const 12)))"
                    f" (then (call $proc_exit (i32.const {code}))))"
                ]
            case SkipUnlessSuccess():
                return ["(br_if $end (i32.load (i32.const 16)))"]
            case CallSecond(what):
                report = _indented(self._report(what, unsafe=True), 2)
                return ["(if (call $second) (then", *report, "))"]
            case Forever(steps):
                inner = [line for each in steps for line in self._step(each)]
                return ["(loop $again", *_indented(inner, 2), "  (br $again))"]
            case OnSuccess(steps):
                inner = [line for each in steps for line in self._step(each)]
                return [
                    "(if (i32.eqz (i32.load (i32.const 16))) (then",
                    *_indented(inner, 2),
                    "))",
                ]
        return self._bare(step)

    def _bare(self, step: Step) -> list[str]:
        """Return a step without checks; what is expected is a comment."""
        match step:
            case Call():
                trap = ", or a trap" if step.may_trap else ""
                return [f"(drop {self._made(step)}) ;; expected: {_errnos(step.expected)}{trap}"]
            case Write(label, data, offset):
                return [
                    f"(memory.copy {{{label}|{offset}}} (i32.const {self._constant(data)})"
                    f" (i32.const {len(data)}))"
                ]
            case Grow(pages):
                return [f"(drop (memory.grow (i32.const {pages})))"]
            case ExpectBytes(label, expected) | ExpectAdvised(label, expected):
                shown = expected[:32].hex(" ") + (" …" if len(expected) > 32 else "")
                return [f";; expected in memory at {label}: {shown}"]
            case ReadArgument(label):
                return [f";; at {label}: address and length of the first argument, from args_get"]
            case CallSecond():
                return ["(drop (call $second)) ;; expected: 0"]
            case Forever(steps):
                inner = [line for each in steps for line in self._bare(each)]
                return ["(loop $again", *_indented(inner, 2), "  (br $again))"]
            case OnSuccess(steps):
                inner = [line for each in steps for line in self._bare(each)]
                return [";; if it returned 0:", *inner]
        return []

    def _report(self, what: str, *, unsafe: bool) -> list[str]:
        message = f"{'unsafe' if unsafe else 'differs'}: {what}\n".encode()
        return [
            f"(call $say (i32.const 1) {self._print(message)})",
            "(i32.store (i32.const 12) (i32.const 1))",
        ]

    def _made(self, call: Call) -> str:
        arguments = " ".join(self._argument(each) for each in call.arguments)
        return f"(call ${call.function} {arguments})"

    def _call(self, call: Call) -> list[str]:
        if not self._case.memory:
            exit_code = f"(i32.add (i32.const {MUTE_EXIT}) (local.get $errno))"
            return [
                f"(local.set $errno {self._made(call)})",
                f"(if (i32.eq (local.get $errno) (i32.const {_MISSING_MEMORY}))"
                " (then (call $proc_exit (i32.const 0))))",
                f"(call $proc_exit {exit_code})",
            ]
        absent = (
            (_UNSUPPORTED,)
            if self._case.basis.level is Level.EXTENSION and _UNSUPPORTED not in call.expected
            else ()
        )
        advised = call.advised or call.expected
        message = f"{call.function} returned ".encode()
        expected = f", expected {_errnos(call.expected)}\n".encode()
        recommended = f", advised {_errnos(advised)}\n".encode()
        checked = (
            f"(call $check {self._made(call)} (i32.const {_mask(call.expected)})"
            f" (i32.const {_mask(call.unsafe)}) (i32.const {_mask(absent)})"
            f" (i32.const {_mask(advised)}) {self._print(message)} {self._print(expected)}"
            f" {self._print(recommended)})"
        )
        lines = [f"(br_if $end {checked})" if call.needed or absent else f"(drop {checked})"]
        if call.may_trap:
            before = f"may trap: {call.function}\n".encode()
            lines.insert(0, f"(call $say (i32.const 1) {self._print(before)})")
            lines.append(f"(call $say (i32.const 1) {self._print(b'returned' + bytes([10]))})")
        return lines

    def _argument(self, value: int | At | LoadU32) -> str:
        match value:
            case At(label, offset):
                return f"{{{label}|{offset}}}"
            case LoadU32(label, offset):
                return f"(i32.load {{{label}|{offset}}})"
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


def _errnos(errnos: Sequence[int]) -> str:
    if set(errnos) >= set(ERRORS):
        return "success or an error" if 0 in errnos else "an error"
    return " or ".join(map(str, errnos))


def _mask(errnos: Sequence[int]) -> int:
    return sum(1 << each for each in set(errnos))


def _indented(lines: Sequence[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _escaped(data: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02x}" for byte in data
    )
