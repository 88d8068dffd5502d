;; Adapts wasi-nn's core-module ABI (import module wasi_ephemeral_nn) to the interfaces that
;; components import, wasi:nn@0.2.0-rc-2024-10-28.
;;
;; wasm-tools links it to a guest, whose memory it shares: `--adapt wasi_ephemeral_nn=adapter.wasm`.
;; What it keeps lies in pages that it adds to that memory. Every pointer, number and name of the
;; guest is checked here, since the canonical ABI traps where the core ABI returns an errno.
;;
;; Graphs and contexts are numbered from 0, and no number is used twice. An input is checked and
;; copied by set_input, is passed under its index as a name, and is kept for later computations.
;; Outputs have the host's order.
(module
  (import "wasi:nn/graph@0.2.0-rc-2024-10-28" "load"
    (func $wit_load (param i32 i32 i32 i32 i32)))
  (import "wasi:nn/graph@0.2.0-rc-2024-10-28" "load-by-name"
    (func $wit_load_by_name (param i32 i32 i32)))
  (import "wasi:nn/graph@0.2.0-rc-2024-10-28" "[method]graph.init-execution-context"
    (func $wit_init (param i32 i32)))
  (import "wasi:nn/graph@0.2.0-rc-2024-10-28" "[resource-drop]graph"
    (func $drop_graph (param i32)))
  (import "wasi:nn/inference@0.2.0-rc-2024-10-28" "[method]graph-execution-context.compute"
    (func $wit_compute (param i32 i32 i32 i32)))
  (import "wasi:nn/inference@0.2.0-rc-2024-10-28" "[resource-drop]graph-execution-context"
    (func $drop_context (param i32)))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" "[constructor]tensor"
    (func $wit_tensor (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" "[method]tensor.dimensions"
    (func $wit_dimensions (param i32 i32)))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" "[method]tensor.ty"
    (func $wit_type (param i32) (result i32)))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" "[method]tensor.data"
    (func $wit_data (param i32 i32)))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" "[resource-drop]tensor"
    (func $drop_tensor (param i32)))
  (import "wasi:nn/errors@0.2.0-rc-2024-10-28" "[method]error.code"
    (func $wit_code (param i32) (result i32)))
  (import "wasi:nn/errors@0.2.0-rc-2024-10-28" "[resource-drop]error"
    (func $drop_error (param i32)))
  (import "env" "memory" (memory 0))

  ;; The free blocks; the unused end of the pages added last.
  (global $free_blocks (mut i32) (i32.const 0))
  (global $next (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))
  ;; Where functions of more than one result put them: 12 bytes.
  (global $results (mut i32) (i32.const 0))
  ;; Tables of {count, capacity, items}: a handle of each graph, a block of each context.
  (global $graphs (mut i32) (i32.const 0))
  (global $contexts (mut i32) (i32.const 0))
  ;; The guest's buffer, into which the next list of the host goes if it fits.
  (global $buffer (mut i32) (i32.const 0))
  (global $buffer_size (mut i32) (i32.const 0))

  ;; --- memory ---

  ;; Returns the size of the guest's memory: `wasi-nn componentize` keeps the pages of adapters out
  ;; of it, and puts an import from the guest in the place of this function.
  (func $guest_pages (result i32) (memory.size))

  (func $is_in_memory (param $pointer i32) (param $size i64) (result i32)
    (i64.le_u
      (i64.add (i64.extend_i32_u (local.get $pointer)) (local.get $size))
      (i64.shl (i64.extend_i32_u (call $guest_pages)) (i64.const 16))))

  (func $capacity (param $block i32) (result i32)
    (i32.load (i32.sub (local.get $block) (i32.const 8))))

  (func $fits (param $block i32) (param $size i32) (result i32)
    (if (i32.eqz (local.get $block)) (then (return (i32.const 0))))
    (i32.ge_u (call $capacity (local.get $block)) (local.get $size)))

  ;; Returns a block, aligned to 8, or 0. Before it lie its capacity and the next free block.
  (func $allocate (param $size i32) (result i32)
    (local $block i32) (local $before i32) (local $pages i32) (local $first i32)
    (if (i32.gt_u (local.get $size) (i32.const 0xfffe0000)) (then (return (i32.const 0))))
    (local.set $size (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -8)))
    (local.set $block (global.get $free_blocks))
    (block $none
      (loop $each
        (br_if $none (i32.eqz (local.get $block)))
        ;; One that is at most twice as large: a small block must not use up a large one.
        (if (i32.and
              (call $fits (local.get $block) (local.get $size))
              (i32.le_u
                (i32.shr_u (call $capacity (local.get $block)) (i32.const 1))
                (local.get $size)))
          (then
            (if (local.get $before)
              (then
                (i32.store (i32.sub (local.get $before) (i32.const 4))
                  (i32.load (i32.sub (local.get $block) (i32.const 4)))))
              (else
                (global.set $free_blocks
                  (i32.load (i32.sub (local.get $block) (i32.const 4))))))
            (return (local.get $block))))
        (local.set $before (local.get $block))
        (local.set $block (i32.load (i32.sub (local.get $block) (i32.const 4))))
        (br $each)))
    (if (i32.lt_u
          (i32.sub (global.get $end) (global.get $next))
          (i32.add (local.get $size) (i32.const 8)))
      (then
        (local.set $pages
          (i32.shr_u (i32.add (local.get $size) (i32.const 65543)) (i32.const 16)))
        (local.set $first (memory.grow (local.get $pages)))
        (if (i32.eq (local.get $first) (i32.const -1)) (then (return (i32.const 0))))
        (global.set $next (i32.shl (local.get $first) (i32.const 16)))
        (global.set $end
          (i32.add (global.get $next) (i32.shl (local.get $pages) (i32.const 16))))))
    (local.set $block (i32.add (global.get $next) (i32.const 8)))
    (i32.store (global.get $next) (local.get $size))
    (global.set $next (i32.add (local.get $block) (local.get $size)))
    (local.get $block))

  (func $release (param $block i32)
    (if (local.get $block)
      (then
        (i32.store (i32.sub (local.get $block) (i32.const 4)) (global.get $free_blocks))
        (global.set $free_blocks (local.get $block)))))

  ;; Frees a list of the host's: one without elements has no block.
  (func $release_list (param $data i32) (param $count i32)
    (if (local.get $count) (then (call $release (local.get $data)))))

  ;; What the host calls for the memory of each list and string that it returns.
  (func (export "cabi_import_realloc")
    (param $old i32) (param $old_size i32) (param $alignment i32) (param $size i32) (result i32)
    (local $block i32)
    (if (i32.eqz (local.get $size)) (then (return (local.get $alignment))))
    (if (i32.le_u (local.get $size) (global.get $buffer_size))
      (then
        (global.set $buffer_size (i32.const 0))
        (return (global.get $buffer))))
    (local.set $block (call $allocate (local.get $size)))
    (if (i32.eqz (local.get $block)) (then (unreachable)))
    (if (local.get $old_size)
      (then
        (memory.copy (local.get $block) (local.get $old)
          (select (local.get $old_size) (local.get $size)
            (i32.lt_u (local.get $old_size) (local.get $size))))
        (if (i32.ne (local.get $old) (global.get $buffer))
          (then (call $release (local.get $old))))))
    (local.get $block))

  ;; --- tables ---

  ;; Makes what every function needs; returns whether there was memory for it.
  (func $start (result i32)
    (local $block i32)
    (if (global.get $results) (then (return (i32.const 1))))
    (local.set $block (call $allocate (i32.const 40)))
    (if (i32.eqz (local.get $block)) (then (return (i32.const 0))))
    (memory.fill (local.get $block) (i32.const 0) (i32.const 40))
    (global.set $results (local.get $block))
    (global.set $graphs (i32.add (local.get $block) (i32.const 16)))
    (global.set $contexts (i32.add (local.get $block) (i32.const 28)))
    (i32.const 1))

  ;; Makes room for one more item; returns whether there was memory for it.
  (func $reserve (param $table i32) (result i32)
    (local $items i32) (local $capacity i32)
    (local.set $capacity (i32.load offset=4 (local.get $table)))
    (if (i32.lt_u (i32.load (local.get $table)) (local.get $capacity))
      (then (return (i32.const 1))))
    (local.set $capacity (i32.add (i32.shl (local.get $capacity) (i32.const 1)) (i32.const 8)))
    (local.set $items (call $allocate (i32.shl (local.get $capacity) (i32.const 2))))
    (if (i32.eqz (local.get $items)) (then (return (i32.const 0))))
    (memory.copy (local.get $items) (i32.load offset=8 (local.get $table))
      (i32.shl (i32.load (local.get $table)) (i32.const 2)))
    (call $release (i32.load offset=8 (local.get $table)))
    (i32.store offset=4 (local.get $table) (local.get $capacity))
    (i32.store offset=8 (local.get $table) (local.get $items))
    (i32.const 1))

  ;; Adds an item for which there is room; returns its number.
  (func $add (param $table i32) (param $item i32) (result i32)
    (local $number i32)
    (local.set $number (i32.load (local.get $table)))
    (i32.store (local.get $table) (i32.add (local.get $number) (i32.const 1)))
    (i32.store (call $place (local.get $table) (local.get $number)) (local.get $item))
    (local.get $number))

  (func $place (param $table i32) (param $number i32) (result i32)
    (i32.add (i32.load offset=8 (local.get $table))
      (i32.shl (local.get $number) (i32.const 2))))

  ;; Returns an item, or 0 if there is none of this number.
  (func $find (param $table i32) (param $number i32) (result i32)
    (if (i32.eqz (local.get $table)) (then (return (i32.const 0))))
    (if (i32.ge_u (local.get $number) (i32.load (local.get $table)))
      (then (return (i32.const 0))))
    (i32.load (call $place (local.get $table) (local.get $number))))

  ;; --- errors and numbers ---

  ;; Drops an error and returns the errno of its code. Timeout is busy; security and unknown, which
  ;; the core ABI does not have, are runtime_error.
  (func $errno_of (param $error i32) (result i32)
    (local $code i32)
    (local.set $code (call $wit_code (local.get $error)))
    (call $drop_error (local.get $error))
    (if (i32.gt_u (local.get $code) (i32.const 8)) (then (return (i32.const 5))))
    ;; Four bits for each code, the lowest for code 0.
    (i32.wrap_i64 (i64.and
      (i64.shr_u (i64.const 0x558765421)
        (i64.extend_i32_u (i32.shl (local.get $code) (i32.const 2))))
      (i64.const 15))))

  ;; Returns the errno of the result in $results.
  (func $errno (result i32)
    (if (i32.load8_u (global.get $results))
      (then (return (call $errno_of (i32.load offset=4 (global.get $results))))))
    (i32.const 0))

  ;; Returns four bits of a table: the size of an element in bytes, by its type.
  (func $element_size (param $sizes i32) (param $type i32) (result i64)
    (i64.extend_i32_u (i32.and
      (i32.shr_u (local.get $sizes) (i32.shl (local.get $type) (i32.const 2)))
      (i32.const 15))))

  ;; Returns the size of a tensor in bytes, at most 4 GiB: -1 if it is larger than 4 GiB - 1.
  (func $tensor_size (param $dims i32) (param $rank i32) (param $size i64) (result i64)
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $rank)))
        (local.set $size
          (i64.mul (local.get $size) (i64.extend_i32_u (i32.load (local.get $dims)))))
        (if (i64.gt_u (local.get $size) (i64.const 0xffffffff))
          (then (return (i64.const -1))))
        (local.set $dims (i32.add (local.get $dims) (i32.const 4)))
        (local.set $rank (i32.sub (local.get $rank) (i32.const 1)))
        (br $each)))
    (local.get $size))

  (func $is_utf8 (param $text i32) (param $length i32) (result i32)
    (local $end i32) (local $byte i32) (local $more i32) (local $least i32) (local $code i32)
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (block $done
      (loop $each
        (br_if $done (i32.eq (local.get $text) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $text)))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (br_if $each (i32.lt_u (local.get $byte) (i32.const 0x80)))
        ;; The bytes that follow the first one, its own bits, and the least code of this length.
        (if (i32.eq (i32.and (local.get $byte) (i32.const 0xe0)) (i32.const 0xc0))
          (then
            (local.set $more (i32.const 1))
            (local.set $least (i32.const 0x80))
            (local.set $code (i32.and (local.get $byte) (i32.const 0x1f))))
          (else (if (i32.eq (i32.and (local.get $byte) (i32.const 0xf0)) (i32.const 0xe0))
            (then
              (local.set $more (i32.const 2))
              (local.set $least (i32.const 0x800))
              (local.set $code (i32.and (local.get $byte) (i32.const 0x0f))))
            (else
              (if (i32.ne (i32.and (local.get $byte) (i32.const 0xf8)) (i32.const 0xf0))
                (then (return (i32.const 0))))
              (local.set $more (i32.const 3))
              (local.set $least (i32.const 0x10000))
              (local.set $code (i32.and (local.get $byte) (i32.const 0x07)))))))
        (loop $next
          (if (i32.eq (local.get $text) (local.get $end)) (then (return (i32.const 0))))
          (local.set $byte (i32.load8_u (local.get $text)))
          (if (i32.ne (i32.and (local.get $byte) (i32.const 0xc0)) (i32.const 0x80))
            (then (return (i32.const 0))))
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (local.set $code (i32.or (i32.shl (local.get $code) (i32.const 6))
            (i32.and (local.get $byte) (i32.const 0x3f))))
          (local.set $more (i32.sub (local.get $more) (i32.const 1)))
          (br_if $next (local.get $more)))
        (if (i32.or
              (i32.or
                (i32.lt_u (local.get $code) (local.get $least))
                (i32.gt_u (local.get $code) (i32.const 0x10ffff)))
              ;; Surrogates.
              (i32.eq (i32.shr_u (local.get $code) (i32.const 11)) (i32.const 0x1b)))
          (then (return (i32.const 0))))
        (br $each)))
    (i32.const 1))

  ;; --- graphs ---

  ;; Numbers the graph in $results, or returns the errno.
  (func $new_graph (param $graph i32) (result i32)
    (local $errno i32)
    (local.set $errno (call $errno))
    (if (local.get $errno) (then (return (local.get $errno))))
    (i32.store (local.get $graph)
      (call $add (global.get $graphs) (i32.load offset=4 (global.get $results))))
    (i32.const 0))

  (func (export "load")
    (param $builders i32) (param $count i32) (param $encoding i32) (param $target i32)
    (param $graph i32) (result i32)
    (local $size i64) (local $at i32) (local $left i32) (local $copy i32)
    (local.set $size (i64.shl (i64.extend_i32_u (local.get $count)) (i64.const 3)))
    (if (i32.eqz (i32.and
          (call $is_in_memory (local.get $graph) (i64.const 4))
          (call $is_in_memory (local.get $builders) (local.get $size))))
      (then (return (i32.const 1))))
    (local.set $at (local.get $builders))
    (local.set $left (local.get $count))
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $left)))
        (if (i32.eqz (call $is_in_memory (i32.load (local.get $at))
              (i64.extend_i32_u (i32.load offset=4 (local.get $at)))))
          (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $each)))
    (if (i32.gt_u (local.get $encoding) (i32.const 6)) (then (return (i32.const 2))))
    (if (i32.gt_u (local.get $target) (i32.const 2)) (then (return (i32.const 1))))
    ;; Guests have 5 autodetect and 6 ggml, as WasmEdge; components have the reverse.
    (if (i32.gt_u (local.get $encoding) (i32.const 4))
      (then (local.set $encoding (i32.sub (i32.const 11) (local.get $encoding)))))
    (if (i32.eqz (call $start)) (then (return (i32.const 3))))
    (if (i32.eqz (call $reserve (global.get $graphs))) (then (return (i32.const 3))))
    ;; Components' lists must be aligned.
    (if (i32.and (local.get $builders) (i32.const 3))
      (then
        (local.set $copy (call $allocate (i32.wrap_i64 (local.get $size))))
        (if (i32.eqz (local.get $copy)) (then (return (i32.const 3))))
        (memory.copy (local.get $copy) (local.get $builders) (i32.wrap_i64 (local.get $size)))
        (local.set $builders (local.get $copy))))
    (call $wit_load (local.get $builders) (local.get $count) (local.get $encoding)
      (local.get $target) (global.get $results))
    (call $release (local.get $copy))
    (call $new_graph (local.get $graph)))

  (func $load_by_name (export "load_by_name")
    (param $name i32) (param $length i32) (param $graph i32) (result i32)
    (if (i32.eqz (i32.and
          (call $is_in_memory (local.get $graph) (i64.const 4))
          (call $is_in_memory (local.get $name) (i64.extend_i32_u (local.get $length)))))
      (then (return (i32.const 1))))
    (if (i32.eqz (call $is_utf8 (local.get $name) (local.get $length)))
      (then (return (i32.const 1))))
    (if (i32.eqz (call $start)) (then (return (i32.const 3))))
    (if (i32.eqz (call $reserve (global.get $graphs))) (then (return (i32.const 3))))
    (call $wit_load_by_name (local.get $name) (local.get $length) (global.get $results))
    (call $new_graph (local.get $graph)))

  (func (export "unload") (param $graph i32) (result i32)
    (local $handle i32) (local $number i32) (local $context i32)
    (local.set $handle (call $find (global.get $graphs) (local.get $graph)))
    (if (i32.eqz (local.get $handle)) (then (return (i32.const 1))))
    (block $end
      (loop $each
        (br_if $end (i32.eq (local.get $number) (i32.load (global.get $contexts))))
        (local.set $context (call $find (global.get $contexts) (local.get $number)))
        (if (local.get $context)
          (then
            (if (i32.eq (i32.load offset=16 (local.get $context)) (local.get $graph))
              (then (drop (call $finalize (local.get $number)))))))
        (local.set $number (i32.add (local.get $number) (i32.const 1)))
        (br $each)))
    (i32.store (call $place (global.get $graphs) (local.get $graph)) (i32.const 0))
    (call $drop_graph (local.get $handle))
    (i32.const 0))

  ;; --- contexts: {handle, first input, outputs, number of outputs, graph, number of inputs,
  ;;     whether the outputs are those of the inputs} ---

  (func (export "init_execution_context") (param $graph i32) (param $context i32) (result i32)
    (local $handle i32) (local $block i32) (local $errno i32)
    (if (i32.eqz (call $is_in_memory (local.get $context) (i64.const 4)))
      (then (return (i32.const 1))))
    (local.set $handle (call $find (global.get $graphs) (local.get $graph)))
    (if (i32.eqz (local.get $handle)) (then (return (i32.const 1))))
    (if (i32.eqz (call $reserve (global.get $contexts))) (then (return (i32.const 3))))
    (local.set $block (call $allocate (i32.const 28)))
    (if (i32.eqz (local.get $block)) (then (return (i32.const 3))))
    (call $wit_init (local.get $handle) (global.get $results))
    (local.set $errno (call $errno))
    (if (local.get $errno)
      (then
        (call $release (local.get $block))
        (return (local.get $errno))))
    (memory.fill (local.get $block) (i32.const 0) (i32.const 28))
    (i32.store (local.get $block) (i32.load offset=4 (global.get $results)))
    (i32.store offset=16 (local.get $block) (local.get $graph))
    (i32.store (local.get $context) (call $add (global.get $contexts) (local.get $block)))
    (i32.const 0))

  (func $drop_outputs (param $context i32)
    (local $output i32) (local $left i32)
    (local.set $output (i32.load offset=8 (local.get $context)))
    (local.set $left (i32.load offset=12 (local.get $context)))
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $left)))
        (call $drop_tensor (i32.load offset=8 (local.get $output)))
        (local.set $output (i32.add (local.get $output) (i32.const 12)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $each)))
    (call $release_list (i32.load offset=8 (local.get $context))
      (i32.load offset=12 (local.get $context)))
    (i32.store offset=12 (local.get $context) (i32.const 0)))

  (func $finalize (export "finalize_execution_context") (param $number i32) (result i32)
    (local $context i32) (local $input i32) (local $next i32)
    (local.set $context (call $find (global.get $contexts) (local.get $number)))
    (if (i32.eqz (local.get $context)) (then (return (i32.const 1))))
    (call $drop_outputs (local.get $context))
    (local.set $input (i32.load offset=4 (local.get $context)))
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $input)))
        (local.set $next (i32.load (local.get $input)))
        (call $release (i32.load offset=8 (local.get $input)))
        (call $release (i32.load offset=40 (local.get $input)))
        (call $release (local.get $input))
        (local.set $input (local.get $next))
        (br $each)))
    (call $drop_context (i32.load (local.get $context)))
    (i32.store (call $place (global.get $contexts) (local.get $number)) (i32.const 0))
    (call $release (local.get $context))
    (i32.const 0))

  ;; --- inputs: {next, index, data, size, type, rank, length of the name, name in 12 bytes,
  ;;     dims} ---

  (func $find_input (param $context i32) (param $index i32) (result i32)
    (local $input i32)
    (local.set $input (i32.load offset=4 (local.get $context)))
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $input)))
        (br_if $end (i32.eq (i32.load offset=4 (local.get $input)) (local.get $index)))
        (local.set $input (i32.load (local.get $input)))
        (br $each)))
    (local.get $input))

  ;; Adds an input, whose name are the decimal digits of its index.
  (func $add_input (param $context i32) (param $input i32) (param $index i32)
    (local $power i32) (local $length i32)
    (memory.fill (local.get $input) (i32.const 0) (i32.const 44))
    (i32.store (local.get $input) (i32.load offset=4 (local.get $context)))
    (i32.store offset=4 (local.get $input) (local.get $index))
    (local.set $power (i32.const 1))
    (block $end
      (loop $each
        (br_if $end (i32.lt_u
          (i32.div_u (local.get $index) (local.get $power)) (i32.const 10)))
        (local.set $power (i32.mul (local.get $power) (i32.const 10)))
        (br $each)))
    (loop $each
      (i32.store8 offset=28 (i32.add (local.get $input) (local.get $length))
        (i32.add (i32.const 48)
          (i32.rem_u (i32.div_u (local.get $index) (local.get $power)) (i32.const 10))))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (local.set $power (i32.div_u (local.get $power) (i32.const 10)))
      (br_if $each (local.get $power)))
    (i32.store offset=24 (local.get $input) (local.get $length))
    (i32.store offset=4 (local.get $context) (local.get $input))
    (i32.store offset=20 (local.get $context)
      (i32.add (i32.load offset=20 (local.get $context)) (i32.const 1))))

  ;; Returns a block with room for `size`: the old one, or another.
  (func $room (param $block i32) (param $size i32) (result i32)
    (if (call $fits (local.get $block) (local.get $size)) (then (return (local.get $block))))
    (call $allocate (local.get $size)))

  ;; Frees a block unless it is the one that is kept.
  (func $release_other (param $block i32) (param $kept i32)
    (if (i32.ne (local.get $block) (local.get $kept)) (then (call $release (local.get $block)))))

  (func (export "set_input")
    (param $number i32) (param $index i32) (param $tensor i32) (result i32)
    (local $context i32) (local $input i32) (local $type i32) (local $dims i32) (local $rank i32)
    (local $data i32) (local $size i32) (local $old_dims i32) (local $old_data i32)
    (local $new_dims i32) (local $new_data i32) (local $new i32)
    (local.set $context (call $find (global.get $contexts) (local.get $number)))
    (if (i32.eqz (local.get $context)) (then (return (i32.const 1))))
    (if (i32.eqz (call $is_in_memory (local.get $tensor) (i64.const 20)))
      (then (return (i32.const 1))))
    (local.set $dims (i32.load (local.get $tensor)))
    (local.set $rank (i32.load offset=4 (local.get $tensor)))
    ;; One byte: those after it are padding.
    (local.set $type (i32.load8_u offset=8 (local.get $tensor)))
    (local.set $data (i32.load offset=12 (local.get $tensor)))
    (local.set $size (i32.load offset=16 (local.get $tensor)))
    (if (i32.eqz (i32.and
          (call $is_in_memory (local.get $dims)
            (i64.shl (i64.extend_i32_u (local.get $rank)) (i64.const 2)))
          (call $is_in_memory (local.get $data) (i64.extend_i32_u (local.get $size)))))
      (then (return (i32.const 1))))
    (if (i32.gt_u (local.get $type) (i32.const 5)) (then (return (i32.const 1))))
    (if (i64.ne (i64.extend_i32_u (local.get $size))
          (call $tensor_size (local.get $dims) (local.get $rank)
            (call $element_size (i32.const 0x841842) (local.get $type))))
      (then (return (i32.const 1))))
    ;; Components have bf16 after f64.
    (if (i32.gt_u (local.get $type) (i32.const 2))
      (then (local.set $type (i32.add (local.get $type) (i32.const 1)))))
    (local.set $rank (i32.shl (local.get $rank) (i32.const 2)))
    (local.set $input (call $find_input (local.get $context) (local.get $index)))
    (if (local.get $input)
      (then
        (local.set $old_data (i32.load offset=8 (local.get $input)))
        (local.set $old_dims (i32.load offset=40 (local.get $input))))
      (else
        (local.set $new (call $allocate (i32.const 44)))
        (if (i32.eqz (local.get $new)) (then (return (i32.const 3))))
        (local.set $input (local.get $new))))
    (local.set $new_dims (call $room (local.get $old_dims) (local.get $rank)))
    (local.set $new_data (call $room (local.get $old_data) (local.get $size)))
    ;; Without memory for it the input stays as it was.
    (if (i32.or (i32.eqz (local.get $new_dims)) (i32.eqz (local.get $new_data)))
      (then
        (call $release_other (local.get $new_dims) (local.get $old_dims))
        (call $release_other (local.get $new_data) (local.get $old_data))
        (call $release (local.get $new))
        (return (i32.const 3))))
    (if (local.get $new)
      (then (call $add_input (local.get $context) (local.get $new) (local.get $index))))
    (memory.copy (local.get $new_dims) (local.get $dims) (local.get $rank))
    (memory.copy (local.get $new_data) (local.get $data) (local.get $size))
    (call $release_other (local.get $old_dims) (local.get $new_dims))
    (call $release_other (local.get $old_data) (local.get $new_data))
    (i32.store offset=8 (local.get $input) (local.get $new_data))
    (i32.store offset=12 (local.get $input) (local.get $size))
    (i32.store offset=16 (local.get $input) (local.get $type))
    (i32.store offset=20 (local.get $input) (i32.shr_u (local.get $rank) (i32.const 2)))
    (i32.store offset=40 (local.get $input) (local.get $new_dims))
    (i32.store offset=24 (local.get $context) (i32.const 0))
    (i32.const 0))

  ;; --- inference ---

  (func (export "compute") (param $number i32) (result i32)
    (local $context i32) (local $inputs i32) (local $at i32) (local $input i32)
    (local $errno i32) (local $output i32) (local $left i32)
    (local.set $context (call $find (global.get $contexts) (local.get $number)))
    (if (i32.eqz (local.get $context)) (then (return (i32.const 1))))
    (local.set $inputs
      (call $allocate (i32.mul (i32.load offset=20 (local.get $context)) (i32.const 12))))
    (if (i32.eqz (local.get $inputs)) (then (return (i32.const 3))))
    (call $drop_outputs (local.get $context))
    (i32.store offset=24 (local.get $context) (i32.const 0))
    (local.set $at (local.get $inputs))
    (local.set $input (i32.load offset=4 (local.get $context)))
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $input)))
        (i32.store (local.get $at) (i32.add (local.get $input) (i32.const 28)))
        (i32.store offset=4 (local.get $at) (i32.load offset=24 (local.get $input)))
        ;; The host takes the tensor, so that each computation needs one of its own.
        (i32.store offset=8 (local.get $at)
          (call $wit_tensor
            (i32.load offset=40 (local.get $input)) (i32.load offset=20 (local.get $input))
            (i32.load offset=16 (local.get $input))
            (i32.load offset=8 (local.get $input)) (i32.load offset=12 (local.get $input))))
        (local.set $at (i32.add (local.get $at) (i32.const 12)))
        (local.set $input (i32.load (local.get $input)))
        (br $each)))
    (call $wit_compute (i32.load (local.get $context)) (local.get $inputs)
      (i32.load offset=20 (local.get $context)) (global.get $results))
    (call $release (local.get $inputs))
    (local.set $errno (call $errno))
    (if (local.get $errno) (then (return (local.get $errno))))
    (local.set $output (i32.load offset=4 (global.get $results)))
    (local.set $left (i32.load offset=8 (global.get $results)))
    (i32.store offset=8 (local.get $context) (local.get $output))
    (i32.store offset=12 (local.get $context) (local.get $left))
    (i32.store offset=24 (local.get $context) (i32.const 1))
    ;; The core ABI has no names of outputs.
    (block $end
      (loop $each
        (br_if $end (i32.eqz (local.get $left)))
        (call $release_list (i32.load (local.get $output)) (i32.load offset=4 (local.get $output)))
        (local.set $output (i32.add (local.get $output) (i32.const 12)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $each)))
    (i32.const 0))

  ;; Returns the size of a host's tensor in bytes.
  (func $size_of (param $tensor i32) (result i64)
    (local $dims i32) (local $rank i32) (local $size i64) (local $type i32)
    (call $wit_dimensions (local.get $tensor) (global.get $results))
    (local.set $dims (i32.load (global.get $results)))
    (local.set $rank (i32.load offset=4 (global.get $results)))
    (local.set $type (call $wit_type (local.get $tensor)))
    (local.set $size (call $tensor_size (local.get $dims) (local.get $rank)
      (call $element_size (i32.const 0x8412842) (local.get $type))))
    (call $release_list (local.get $dims) (local.get $rank))
    (local.get $size))

  (func (export "get_output")
    (param $number i32) (param $index i32) (param $to i32) (param $most i32) (param $written i32)
    (result i32)
    (local $context i32) (local $tensor i32) (local $size i64) (local $data i32) (local $found i32)
    (local.set $context (call $find (global.get $contexts) (local.get $number)))
    (if (i32.eqz (local.get $context)) (then (return (i32.const 1))))
    (if (i32.eqz (i32.and
          (call $is_in_memory (local.get $written) (i64.const 4))
          (call $is_in_memory (local.get $to) (i64.extend_i32_u (local.get $most)))))
      (then (return (i32.const 1))))
    (if (i32.eqz (i32.load offset=24 (local.get $context))) (then (return (i32.const 5))))
    (if (i32.ge_u (local.get $index) (i32.load offset=12 (local.get $context)))
      (then (return (i32.const 1))))
    (local.set $tensor (i32.load offset=8
      (i32.add (i32.load offset=8 (local.get $context))
        (i32.mul (local.get $index) (i32.const 12)))))
    (local.set $size (call $size_of (local.get $tensor)))
    (if (i64.gt_u (local.get $size) (i64.extend_i32_u (local.get $most)))
      (then
        (i32.store (local.get $written) (i32.wrap_i64 (local.get $size)))
        (return (i32.const 7))))
    ;; The host writes into the guest's buffer, without a copy here.
    (global.set $buffer (local.get $to))
    (global.set $buffer_size (local.get $most))
    (call $wit_data (local.get $tensor) (global.get $results))
    (global.set $buffer_size (i32.const 0))
    (local.set $data (i32.load (global.get $results)))
    (local.set $found (i32.load offset=4 (global.get $results)))
    (i32.store (local.get $written) (local.get $found))
    (global.set $buffer (i32.const 0))
    ;; More data than the dims say did not fit, or was passed in several pieces.
    (if (i32.and
          (i32.ne (local.get $data) (local.get $to))
          (i32.ne (local.get $found) (i32.const 0)))
      (then
        (if (i32.le_u (local.get $found) (local.get $most))
          (then (memory.copy (local.get $to) (local.get $data) (local.get $found))))
        (call $release (local.get $data))))
    (if (i32.gt_u (local.get $found) (local.get $most)) (then (return (i32.const 7))))
    (i32.const 0))

  ;; --- extensions that some guests import ---

  (func $is_empty_object (param $text i32) (param $length i32) (result i32)
    (if (i32.ne (local.get $length) (i32.const 2)) (then (return (i32.const 0))))
    (i32.eq (i32.load16_u (local.get $text)) (i32.const 0x7d7b)))

  (func (export "load_by_name_with_config")
    (param $name i32) (param $length i32) (param $config i32) (param $config_length i32)
    (param $graph i32) (result i32)
    (if (i32.eqz (call $is_in_memory (local.get $config)
          (i64.extend_i32_u (local.get $config_length))))
      (then (return (i32.const 1))))
    ;; Components cannot pass a configuration: it must be empty, or {}.
    (if (i32.and
          (i32.ne (local.get $config_length) (i32.const 0))
          (i32.eqz (call $is_empty_object (local.get $config) (local.get $config_length))))
      (then (return (i32.const 6))))
    (call $load_by_name (local.get $name) (local.get $length) (local.get $graph)))
  (func (export "get_output_single") (param i32 i32 i32 i32 i32) (result i32) (i32.const 6))
  (func (export "compute_single") (param i32) (result i32) (i32.const 6))
  (func (export "fini_single") (param i32) (result i32) (i32.const 6)))
