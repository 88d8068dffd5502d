"""Wrap a core module as a component, in WebAssembly text, as the usual toolchains do.

The module imports preview 1 and wasi:nn, and exports `memory`, `cabi_realloc` and `_start`. Around
it are an adapter, which has fd_write and proc_exit over WASI 0.2, and the two modules that let
functions be lowered for a memory which does not exist yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.host.abi.core_functions import CORE_FUNCTIONS, CoreFunction
from pipeline.host.abi.wit_types import (
    FUNCTIONS,
    RESOURCES,
    Borrow,
    Bytes,
    Enum,
    ListOf,
    Numbers,
    Own,
    String,
    Tuple,
    WitType,
    interface_name,
)

_WASI = "0.2.0"
_PREVIEW_1 = "wasi_snapshot_preview1"
_P1 = {"fd_write": ("i32 i32 i32 i32", "i32"), "proc_exit": ("i32", "")}
_ENUMS = {
    "tensor-type": ("tensor", FUNCTIONS["tensor.ty"].result),
    "graph-encoding": ("graph", dict(FUNCTIONS["load"].parameters)["encoding"]),
    "execution-target": ("graph", dict(FUNCTIONS["load"].parameters)["target"]),
    "error-code": ("errors", FUNCTIONS["error.code"].result),
}
_INTERFACES = ("errors", "tensor", "inference", "graph")


def imports() -> str:
    """Return the imports of a module that uses all of wasi:nn, and two functions of preview 1."""
    lines = [
        f'(import "{interface_name(each.interface)}" "{each.name}"'
        f" (func ${each.label} {_type(each)}))"
        for each in CORE_FUNCTIONS
    ]
    lines += [
        f'(import "{_PREVIEW_1}" "{name}" (func ${name} (param {given})'
        f"{f' (result {result})' if result else ''}))"
        for name, (given, result) in _P1.items()
    ]
    return "\n".join(f"  {line}" for line in lines)


def component(module: str, *, extra: str = "") -> str:
    """Return the component of a module; ``extra`` is more text in the component."""
    indirect = [each for each in CORE_FUNCTIONS if each.indirect]
    return "\n".join(
        [
            "(component $command",
            *_wit_imports(),
            *_wasi_imports(),
            module,
            _adapter(),
            *_shim(indirect),
            *_fixups(indirect),
            "(core instance $shim (instantiate $shim-module))",
            *_lowered(indirect),
            *_main(indirect),
            '(alias core export $main "cabi_realloc" (core func $realloc))',
            '(alias core export $main "memory" (core memory $memory))',
            *_wired(indirect),
            "(func $run (result (result)) (canon lift (core func"
            f' $adapter "wasi:cli/run@{_WASI}#run")))',
            '(instance $run-instance (export "run" (func $run)))',
            f'(export "wasi:cli/run@{_WASI}" (instance $run-instance))',
            extra,
            ")",
        ]
    )


def _label(function: CoreFunction) -> str:
    return f"${function.label}"


def _type(function: CoreFunction) -> str:
    given = f"(param{' i32' * function.parameters})"
    return f"{given} (result i32)" if function.results else given


def _text(kind: WitType) -> str:
    """Return a type as text, where enums and resources have the names of `_wit_imports`."""
    if isinstance(kind, Own):
        return f"(own ${kind.resource})"
    if isinstance(kind, Borrow):
        return f"(borrow ${kind.resource})"
    if isinstance(kind, Enum):
        return next(f"${name}" for name, (_, each) in _ENUMS.items() if each == kind)
    if isinstance(kind, String):
        return "string"
    if isinstance(kind, Bytes):
        return "(list u8)"
    if isinstance(kind, Numbers):
        return "(list u32)"
    if isinstance(kind, ListOf):
        return f"(list {_text(kind.element)})"
    if isinstance(kind, Tuple):
        return f"(tuple {' '.join(map(_text, kind.elements))})"
    return f"(result {_text(kind.value)} (error {_text(kind.error)}))"


def _wit_imports() -> list[str]:
    lines = []
    for interface in _INTERFACES:
        lines.append(f'(import "{interface_name(interface)}" (instance ${interface}')
        for resource, of in RESOURCES.items():
            if of == interface:
                lines.append(f'  (export "{resource}" (type ${resource} (sub resource)))')
            elif _INTERFACES.index(of) < _INTERFACES.index(interface):
                lines.append(f"  (alias outer $command ${resource} (type ${resource}))")
        for name, (of, kind) in _ENUMS.items():
            if of == interface and isinstance(kind, Enum):
                cases = " ".join(f'"{case}"' for case in kind.cases)
                lines.append(f"  (type ${name}-cases (enum {cases}))")
                lines.append(f'  (export "{name}" (type ${name} (eq ${name}-cases)))')
        for function in FUNCTIONS.values():
            if function.interface == interface:
                given = " ".join(
                    f'(param "{name}" {_text(kind)})' for name, kind in function.parameters
                )
                lines.append(
                    f'  (export "{function.wit_name}"'
                    f" (func {given} (result {_text(function.result)})))"
                )
        lines.append("))")
        for resource, of in RESOURCES.items():
            if of == interface:
                lines.append(f'(alias export ${interface} "{resource}" (type ${resource}))')
    return lines


def _wasi_imports() -> list[str]:
    return f"""\
(import "wasi:io/error@{_WASI}" (instance $io-error (export "error" (type (sub resource)))))
(alias export $io-error "error" (type $io-error-type))
(import "wasi:io/streams@{_WASI}" (instance $streams
  (alias outer $command $io-error-type (type $e0))
  (export "output-stream" (type $output-stream (sub resource)))
  (export "error" (type $e (eq $e0)))
  (type $failed (variant (case "last-operation-failed" (own $e)) (case "closed")))
  (export "stream-error" (type $stream-error (eq $failed)))
  (export "[method]output-stream.blocking-write-and-flush"
    (func (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $stream-error)))))))
(alias export $streams "output-stream" (type $output-stream))
(import "wasi:cli/stdout@{_WASI}" (instance $stdout
  (alias outer $command $output-stream (type $s0))
  (export "output-stream" (type $s (eq $s0)))
  (export "get-stdout" (func (result (own $s))))))
(import "wasi:cli/stderr@{_WASI}" (instance $stderr
  (alias outer $command $output-stream (type $s0))
  (export "output-stream" (type $s (eq $s0)))
  (export "get-stderr" (func (result (own $s))))))
(import "wasi:cli/exit@{_WASI}" (instance $exit
  (export "exit" (func (param "status" (result))))))
""".splitlines()


def _adapter() -> str:
    # The result of a write takes 12 bytes, at an address below all that a guest places.
    return f"""\
(core module $adapter-module
  (import "env" "memory" (memory 0))
  (import "__main_module__" "_start" (func $start))
  (import "wasi:cli/stdout@{_WASI}" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@{_WASI}" "get-stderr" (func $stderr (result i32)))
  (import "wasi:io/streams@{_WASI}" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:cli/exit@{_WASI}" "exit" (func $exit (param i32)))
  (global $out (mut i32) (i32.const 0))
  (global $err (mut i32) (i32.const 0))
  (func $stream (param $fd i32) (result i32)
    (if (i32.eq (local.get $fd) (i32.const 1)) (then
      (if (i32.eqz (global.get $out)) (then (global.set $out (call $stdout))))
      (return (global.get $out))))
    (if (i32.eqz (global.get $err)) (then (global.set $err (call $stderr))))
    (global.get $err))
  (func (export "fd_write") (param $fd i32) (param $iovs i32) (param $n i32) (param $done i32)
      (result i32)
    (local $at i32) (local $left i32) (local $size i32)
    (i32.store (local.get $done) (i32.const 0))
    (block $end (loop $next
      (br_if $end (i32.eqz (local.get $n)))
      (local.set $at (i32.load (local.get $iovs)))
      (local.set $left (i32.load offset=4 (local.get $iovs)))
      (block $written (loop $more
        (br_if $written (i32.eqz (local.get $left)))
        (local.set $size (select (local.get $left) (i32.const 4096)
          (i32.lt_u (local.get $left) (i32.const 4096))))
        (call $write (call $stream (local.get $fd)) (local.get $at) (local.get $size)
          (i32.const 52))
        (if (i32.load8_u (i32.const 52)) (then (return (i32.const 29))))
        (i32.store (local.get $done) (i32.add (i32.load (local.get $done)) (local.get $size)))
        (local.set $at (i32.add (local.get $at) (local.get $size)))
        (local.set $left (i32.sub (local.get $left) (local.get $size)))
        (br $more)))
      (local.set $iovs (i32.add (local.get $iovs) (i32.const 8)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $next)))
    (i32.const 0))
  (func (export "proc_exit") (param $code i32)
    (call $exit (i32.ne (local.get $code) (i32.const 0))) (unreachable))
  (func (export "wasi:cli/run@{_WASI}#run") (result i32) (call $start) (i32.const 0)))"""


def _slots(indirect: Sequence[CoreFunction]) -> list[tuple[str, str]]:
    """Return a name and a type for each function that the shim has a slot for."""
    slots = [(_label(each), _type(each)) for each in indirect]
    for name, (given, result) in _P1.items():
        slots.append((f"${name}", f"(param {given})" + (f" (result {result})" if result else "")))
    return slots


def _shim(indirect: Sequence[CoreFunction]) -> list[str]:
    slots = _slots(indirect)
    lines = [
        "(core module $shim-module",
        f'  (table (export "$imports") {len(slots)} {len(slots)} funcref)',
    ]
    for at, (_, kind) in enumerate(slots):
        count = kind.partition(")")[0].count("i32")
        given = " ".join(f"(local.get {each})" for each in range(count))
        lines.append(
            f'  (func (export "{at}") {kind} (call_indirect {kind} {given} (i32.const {at})))'
        )
    return [*lines, ")"]


def _fixups(indirect: Sequence[CoreFunction]) -> list[str]:
    slots = _slots(indirect)
    return [
        "(core module $fixups-module",
        *(f'  (import "" "{at}" (func {kind}))' for at, (_, kind) in enumerate(slots)),
        f'  (import "" "$imports" (table {len(slots)} {len(slots)} funcref))',
        f"  (elem (i32.const 0) func {' '.join(map(str, range(len(slots))))}))",
    ]


def _lowered(indirect: Sequence[CoreFunction]) -> list[str]:
    """Return what the module's imports are: slots of the shim, and functions without memory."""
    lines = [
        f'(alias core export $shim "{at}" (core func $slot-{at}))'
        for at in range(len(_slots(indirect)))
    ]
    for each in CORE_FUNCTIONS:
        if each in indirect:
            continue
        if each.drops:
            lines.append(f"(core func ${each.label} (canon resource.drop ${each.drops}))")
        else:
            lines.append(
                f'(core func ${each.label} (canon lower (func ${each.interface} "{each.name}")))'
            )
    return lines


def _main(indirect: Sequence[CoreFunction]) -> list[str]:
    slots = {label: f"$slot-{at}" for at, (label, _) in enumerate(_slots(indirect))}
    lines = ["(core instance $main (instantiate $main-module"]
    for interface in _INTERFACES:
        exports = " ".join(
            f'(export "{each.name}" (func {slots.get(_label(each), _label(each))}))'
            for each in CORE_FUNCTIONS
            if each.interface == interface
        )
        lines.append(f'  (with "{interface_name(interface)}" (instance {exports}))')
    exports = " ".join(f'(export "{name}" (func {slots[f"${name}"]}))' for name in _P1)
    return [*lines, f'  (with "{_PREVIEW_1}" (instance {exports}))))']


def _wired(indirect: Sequence[CoreFunction]) -> list[str]:
    """Return the adapter and the fixups, now that there is a memory."""
    options = "(memory $memory) (realloc $realloc)"
    lines = [
        f"""\
(core func $blocking-write (canon lower
  (func $streams "[method]output-stream.blocking-write-and-flush") {options}))
(core func $get-stdout (canon lower (func $stdout "get-stdout")))
(core func $get-stderr (canon lower (func $stderr "get-stderr")))
(core func $exit-process (canon lower (func $exit "exit")))
(core instance $adapter (instantiate $adapter-module
  (with "env" (instance (export "memory" (memory $memory))))
  (with "__main_module__" (instance $main))
  (with "wasi:cli/stdout@{_WASI}" (instance (export "get-stdout" (func $get-stdout))))
  (with "wasi:cli/stderr@{_WASI}" (instance (export "get-stderr" (func $get-stderr))))
  (with "wasi:io/streams@{_WASI}" (instance
    (export "[method]output-stream.blocking-write-and-flush" (func $blocking-write))))
  (with "wasi:cli/exit@{_WASI}" (instance (export "exit" (func $exit-process))))))"""
    ]
    names = []
    for at, each in enumerate(indirect):
        names.append(f"$lowered-{at}")
        lines.append(
            f"(core func $lowered-{at} (canon lower"
            f' (func ${each.interface} "{each.name}") {options}))'
        )
    for name in _P1:
        names.append(f"$adapted-{name}")
        lines.append(f'(alias core export $adapter "{name}" (core func $adapted-{name}))')
    exports = " ".join(f'(export "{at}" (func {name}))' for at, name in enumerate(names))
    table = '(alias core export $shim "$imports" (core table $imports))'
    return [
        *lines,
        table,
        f'(core instance (instantiate $fixups-module (with "" (instance {exports}'
        ' (export "$imports" (table $imports))))))',
    ]
