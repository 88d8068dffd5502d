"""The functions that every guest of the suite has, as WebAssembly text.

``$say`` prints bytes, ``$number`` an errno, ``$check`` compares an errno and reports, ``$holds``
compares bytes and reports, ``$finish`` ends the guest, ``$argument`` finds the first argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_WASI = "wasi_snapshot_preview1"

WASI_IMPORTS: Mapping[str, str] = MappingProxyType(
    {
        name: f'  (import "{_WASI}" "{name}" (func ${name} (param{" i32" * count}){result}))'
        for name, count, result in (
            ("args_sizes_get", 2, " (result i32)"),
            ("args_get", 2, " (result i32)"),
            ("fd_write", 4, " (result i32)"),
            ("proc_exit", 1, ""),
        )
    }
)

# Names in braces are the addresses of texts.
RUNTIME = """
  (func $say (param $stream i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $number (param $stream i32) (param $value i32) (local $at i32)
    (local.set $at (i32.const 48))
    (loop $more
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10))))
      (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
      (br_if $more (local.get $value)))
    (call $say (local.get $stream) (local.get $at) (i32.sub (i32.const 48) (local.get $at))))
  (func $in (param $errno i32) (param $mask i32) (result i32)
    (i32.and (i32.lt_u (local.get $errno) (i32.const 32))
             (i32.and (i32.shr_u (local.get $mask) (local.get $errno)) (i32.const 1))))
  (func $check (param $got i32) (param $good i32) (param $unsafe i32) (param $absent i32)
      (param $advised i32) (param $at i32) (param $size i32)
      (param $expected i32) (param $expected_size i32)
      (param $recommended i32) (param $recommended_size i32) (result i32)
    (i32.store (i32.const 16) (local.get $got))
    (if (call $in (local.get $got) (local.get $good))
      (then
        (if (i32.eqz (call $in (local.get $got) (local.get $advised)))
          (then
            (call $say (i32.const 2) (i32.const {choice}) (i32.const 8))
            (call $say (i32.const 2) (local.get $at) (local.get $size))
            (call $number (i32.const 2) (local.get $got))
            (call $say (i32.const 2) (local.get $recommended) (local.get $recommended_size))))
        (return (i32.const 0))))
    (i32.store (i32.const 12) (i32.const 1))
    (if (call $in (local.get $got) (local.get $unsafe))
      (then (call $say (i32.const 1) (i32.const {unsafe}) (i32.const 8)))
      (else
        (if (call $in (local.get $got) (local.get $absent))
          (then (call $say (i32.const 1) (i32.const {absent}) (i32.const 13)))
          (else (call $say (i32.const 1) (i32.const {differs}) (i32.const 9))))))
    (call $say (i32.const 1) (local.get $at) (local.get $size))
    (call $number (i32.const 1) (local.get $got))
    (call $say (i32.const 1) (local.get $expected) (local.get $expected_size))
    (i32.const 1))
  (func $holds (param $place i32) (param $expected i32) (param $count i32) (param $stream i32)
      (param $at i32) (param $size i32) (result i32) (local $i i32)
    (block $differ
      (loop $next
        (if (i32.ge_u (local.get $i) (local.get $count)) (then (return (i32.const 1))))
        (br_if $differ
          (i32.ne (i32.load8_u (i32.add (local.get $place) (local.get $i)))
                  (i32.load8_u (i32.add (local.get $expected) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (if (i32.eq (local.get $stream) (i32.const 1))
      (then (i32.store (i32.const 12) (i32.const 1))))
    (call $say (local.get $stream) (local.get $at) (local.get $size))
    (i32.const 0))
  (func $finish
    (if (i32.load (i32.const 12))
      (then
        (call $say (i32.const 1) (i32.const {end}) (i32.const 4))
        (call $proc_exit (i32.const 1))))
    (call $say (i32.const 1) (i32.const {ok}) (i32.const 3)))
"""

# The pointers of at most 16 arguments are at `$room`, their bytes behind them; the address and
# length of the first after the program's name are written to `$out`, else zeros.
ARGUMENTS = """
  (func $argument (param $room i32) (param $out i32) (local $at i32)
    (drop (call $args_sizes_get (i32.const 20) (i32.const 24)))
    (if (i32.or (i32.lt_u (i32.load (i32.const 20)) (i32.const 2))
                (i32.or (i32.gt_u (i32.load (i32.const 20)) (i32.const 16))
                        (i32.gt_u (i32.load (i32.const 24)) (i32.const 16384))))
      (then (return)))
    (drop (call $args_get (local.get $room) (i32.add (local.get $room) (i32.const 64))))
    (local.set $at (i32.load (i32.add (local.get $room) (i32.const 4))))
    (i32.store (local.get $out) (local.get $at))
    (loop $more
      (if (i32.load8_u (local.get $at))
        (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $more))))
    (i32.store (i32.add (local.get $out) (i32.const 4))
      (i32.sub (local.get $at) (i32.load (local.get $out)))))
"""
