"""The functions that every component of the suite has, as WebAssembly text.

Each calls a function of wasi:nn and returns 0, or one more than the number of the error's code, so
that cases are written and checked as those of core modules are. The text of an error must not be
empty. Values are left where the last parameters say, as far as there is room.
"""

from __future__ import annotations

# The results of calls are at 20, below all that a case places.
COMPONENT_RUNTIME = """
  (global $top (mut i32) (i32.const {heap}))
  (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $top) (i32.shl (memory.size) (i32.const 16))) (then
      (if (i32.eq (i32.const -1) (memory.grow (i32.add (i32.const 1)
          (i32.shr_u (local.get $size) (i32.const 16))))) (then (unreachable)))))
    (local.get $at))
  (func $answer (param $out i32) (result i32) (local $error i32) (local $code i32)
    (if (i32.eqz (i32.load8_u (i32.const 20))) (then
      (if (local.get $out) (then (i32.store (local.get $out) (i32.load (i32.const 24)))))
      (return (i32.const 0))))
    (local.set $error (i32.load (i32.const 24)))
    (local.set $code (i32.add (call $error.code (local.get $error)) (i32.const 1)))
    (call $error.data (local.get $error) (i32.const 20))
    (if (i32.eqz (i32.load (i32.const 24))) (then
      (call $say (i32.const 1) (i32.const {empty}) (i32.const {empty-size}))
      (i32.store (i32.const 12) (i32.const 1))))
    (call $drop.error (local.get $error))
    (local.get $code))
  (func $graph.load (param i32 i32 i32 i32) (param $out i32) (result i32)
    (call $load (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 20))
    (call $answer (local.get $out)))
  (func $graph.load-by-name (param i32 i32) (param $out i32) (result i32)
    (call $load-by-name (local.get 0) (local.get 1) (i32.const 20))
    (call $answer (local.get $out)))
  (func $graph.context (param i32) (param $out i32) (result i32)
    (call $init-execution-context (local.get 0) (i32.const 20))
    (call $answer (local.get $out)))
  (func $context.compute (param i32 i32 i32) (param $out i32) (result i32)
    (call $compute (local.get 0) (local.get 1) (local.get 2) (i32.const 20))
    (if (i32.eqz (i32.load8_u (i32.const 20))) (then
      (i32.store offset=4 (local.get $out) (i32.load (i32.const 28)))))
    (call $answer (local.get $out)))
  (func $copy (param $buffer i32) (param $room i32) (param $unit i32) (param $written i32)
      (result i32) (local $size i32)
    (i32.store (local.get $written) (i32.load (i32.const 24)))
    (local.set $size (i32.mul (i32.load (i32.const 24)) (local.get $unit)))
    (memory.copy (local.get $buffer) (i32.load (i32.const 20))
      (select (local.get $size) (local.get $room)
        (i32.lt_u (local.get $size) (local.get $room))))
    (i32.const 0))
  (func $input.put (param $handle i32) (param $at i32) (result i32)
    (i32.store (local.get $at) (local.get $handle))
    (i32.const 0))
  (func $output.tensor (param $outputs i32) (param $index i32) (param $out i32) (result i32)
    (i32.store (local.get $out) (i32.load offset=8
      (i32.add (local.get $outputs) (i32.mul (local.get $index) (i32.const 12)))))
    (i32.const 0))
  (func $output.name (param $outputs i32) (param $index i32) (param i32 i32 i32) (result i32)
    (local.set $outputs
      (i32.add (local.get $outputs) (i32.mul (local.get $index) (i32.const 12))))
    (i64.store (i32.const 20) (i64.load (local.get $outputs)))
    (call $copy (local.get 2) (local.get 3) (i32.const 1) (local.get 4)))
  (func $tensor.new (param i32 i32 i32 i32 i32) (param $out i32) (result i32)
    (i32.store (local.get $out) (call $tensor.constructor
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
    (i32.const 0))
  (func $tensor.read (param i32 i32 i32 i32) (result i32)
    (call $tensor.data (local.get 0) (i32.const 20))
    (call $copy (local.get 1) (local.get 2) (i32.const 1) (local.get 3)))
  (func $tensor.dims (param i32 i32 i32 i32) (result i32)
    (call $tensor.dimensions (local.get 0) (i32.const 20))
    (call $copy (local.get 1) (local.get 2) (i32.const 4) (local.get 3)))
  (func $tensor.type (param i32) (param $out i32) (result i32)
    (i32.store (local.get $out) (call $tensor.ty (local.get 0)))
    (i32.const 0))
  (func $tensor.drop (param i32) (result i32) (call $drop.tensor (local.get 0)) (i32.const 0))
  (func $graph.drop (param i32) (result i32) (call $drop.graph (local.get 0)) (i32.const 0))
  (func $context.drop (param i32) (result i32)
    (call $drop.graph-execution-context (local.get 0)) (i32.const 0))
"""
EMPTY = b"differs: the text of an error is empty\n"
