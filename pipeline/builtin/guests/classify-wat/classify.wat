;; classify [--graph NAME] [CASE...], in WebAssembly text.
;;
;; Executes fixture/fixture.txt line by line: reads the files of the graph, sets the inputs of the
;; named cases, or of all, computes before the first output of each, prints the index of its largest
;; f32, and writes the raw outputs to the preopen `out`, if there is one.
;;
;; A string is two i32s, address and length. Memory layout:
;;    0 iovec     8 bytes moved   12 opened file   16 graph   20 context   24 bytes written
;;   32 tensor: dims, rank, type, data, size        64 files of the graph: address, size
;;   96 dims    128 words of the line: address, length       176 filestat
;;  256 strings 1024: the heap, starting with the arguments
(module
  (import "wasi_ephemeral_nn" "load"
    (func $nn_load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name"
    (func $nn_load_by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context"
    (func $nn_init_execution_context (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input"
    (func $nn_set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute"
    (func $nn_compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output"
    (func $nn_get_output (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get"
    (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_get"
    (func $fd_filestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close"
    (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit"
    (func $proc_exit (param i32)))

  (memory (export "memory") 1)

  (data (i32.const 256) "fixture")
  (data (i32.const 264) "out")
  (data (i32.const 272) "fixture.txt")
  (data (i32.const 288) "encoding")
  (data (i32.const 296) "file")
  (data (i32.const 304) "case")
  (data (i32.const 312) "input")
  (data (i32.const 320) "output")
  (data (i32.const 328) "--graph")
  (data (i32.const 336) "openvino")
  (data (i32.const 344) "onnx")
  (data (i32.const 352) "tensorflow")
  (data (i32.const 368) "pytorch")
  (data (i32.const 376) "tensorflowlite")
  (data (i32.const 392) "f16f32f64u8 i32i64")
  (data (i32.const 416) " output ")
  (data (i32.const 424) "  ")
  (data (i32.const 426) "\n")
  (data (i32.const 428) ": ")
  (data (i32.const 432) "cannot be read")
  (data (i32.const 448) "cannot be written")
  (data (i32.const 468) "not understood in fixture.txt")
  (data (i32.const 500) "errno of wasi-nn: ")
  (data (i32.const 520) "load")
  (data (i32.const 528) "load_by_name")
  (data (i32.const 544) "init_execution_context")
  (data (i32.const 568) "set_input")
  (data (i32.const 580) "compute")
  (data (i32.const 588) "get_output")
  (data (i32.const 600) "there is no such case")
  (data (i32.const 624) "memory")
  (data (i32.const 632) "there is not enough")
  (data (i32.const 652) "the host wrote another size")

  (global $heap (mut i32) (i32.const 1024))
  (global $fixture (mut i32) (i32.const -1))
  (global $out (mut i32) (i32.const -1))
  (global $argc (mut i32) (i32.const 0))
  (global $argv (mut i32) (i32.const 0))
  ;; The first argument that names a case.
  (global $first (mut i32) (i32.const 1))
  (global $graph_name (mut i32) (i32.const 0))
  (global $encoding (mut i32) (i32.const 0))
  (global $files (mut i32) (i32.const 0))
  (global $loaded (mut i32) (i32.const 0))
  (global $chosen (mut i32) (i32.const 0))
  (global $computed (mut i32) (i32.const 0))
  (global $case (mut i32) (i32.const 0))
  (global $case_size (mut i32) (i32.const 0))
  ;; One bit for each argument that was found as a case.
  (global $met (mut i64) (i64.const 0))
  ;; The result of $read.
  (global $data (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))

  (func $print (param $fd i32) (param $text i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $text))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $print_number (param $fd i32) (param $number i32)
    (if (i32.ge_u (local.get $number) (i32.const 10))
      (then (call $print_number (local.get $fd) (i32.div_u (local.get $number) (i32.const 10)))))
    (i32.store8 (i32.const 12)
      (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (call $print (local.get $fd) (i32.const 12) (i32.const 1)))

  ;; Prints `word: text` on stderr and exits with 1.
  (func $refuse (param $word i32) (param $word_size i32) (param $text i32) (param $length i32)
    (call $print (i32.const 2) (local.get $word) (local.get $word_size))
    (call $print (i32.const 2) (i32.const 428) (i32.const 2))
    (call $print (i32.const 2) (local.get $text) (local.get $length))
    (call $print (i32.const 2) (i32.const 426) (i32.const 1))
    (call $proc_exit (i32.const 1))
    (unreachable))

  (func $check (param $errno i32) (param $function i32) (param $length i32)
    (if (local.get $errno)
      (then
        (call $print (i32.const 2) (local.get $function) (local.get $length))
        (call $print (i32.const 2) (i32.const 428) (i32.const 2))
        (call $print (i32.const 2) (i32.const 500) (i32.const 18))
        (call $print_number (i32.const 2) (local.get $errno))
        (call $print (i32.const 2) (i32.const 426) (i32.const 1))
        (call $proc_exit (i32.const 1))
        (unreachable))))

  ;; Allocates on the heap, which grows; restoring $heap frees the memory.
  (func $take (param $size i32) (result i32)
    (local $start i32) (local $more i64)
    (local.set $start (global.get $heap))
    ;; The missing pages, computed in 64 bits: the sum may exceed 4 GiB.
    (local.set $more
      (i64.sub
        (i64.shr_u
          (i64.add
            (i64.add (i64.extend_i32_u (local.get $start)) (i64.extend_i32_u (local.get $size)))
            (i64.const 0x10007))
          (i64.const 16))
        (i64.extend_i32_u (memory.size))))
    (if (i64.gt_s (local.get $more) (i64.const 0))
      (then
        (if (i32.eq (memory.grow (i32.wrap_i64 (local.get $more))) (i32.const -1))
          (then (call $refuse (i32.const 624) (i32.const 6) (i32.const 632) (i32.const 19))))))
    (global.set $heap
      (i32.and (i32.add (i32.add (local.get $start) (local.get $size)) (i32.const 7))
        (i32.const -8)))
    (local.get $start))

  (func $equal (param $one i32) (param $size i32) (param $other i32) (param $other_size i32)
    (result i32)
    (if (i32.ne (local.get $size) (local.get $other_size)) (then (return (i32.const 0))))
    (loop $next
      (if (i32.eqz (local.get $size)) (then (return (i32.const 1))))
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (br_if $next
        (i32.eq
          (i32.load8_u (i32.add (local.get $one) (local.get $size)))
          (i32.load8_u (i32.add (local.get $other) (local.get $size))))))
    (i32.const 0))

  (func $length (param $text i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $text))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.sub (local.get $at) (local.get $text)))

  (func $argument (param $place i32) (result i32)
    (i32.load
      (i32.add (global.get $argv) (i32.shl (local.get $place) (i32.const 2)))))

  ;; Finds the preopens `fixture` and `out`; their descriptors count from 3.
  (func $find_preopens
    (local $fd i32) (local $name i32) (local $size i32)
    (local.set $fd (i32.const 3))
    (block $end
      (loop $next
        (br_if $end (call $fd_prestat_get (local.get $fd) (i32.const 0)))
        (local.set $size (i32.load (i32.const 4)))
        (local.set $name (call $take (local.get $size)))
        (br_if $end
          (call $fd_prestat_dir_name (local.get $fd) (local.get $name) (local.get $size)))
        (if (call $equal (local.get $name) (local.get $size) (i32.const 256) (i32.const 7))
          (then (global.set $fixture (local.get $fd))))
        (if (call $equal (local.get $name) (local.get $size) (i32.const 264) (i32.const 3))
          (then (global.set $out (local.get $fd))))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br $next))))

  ;; The largest piece of one call: some hosts reject more than 128 MiB.
  (func $piece (param $left i32) (result i32)
    (select (local.get $left) (i32.const 0x100000)
      (i32.lt_u (local.get $left) (i32.const 0x100000))))

  ;; Reads a file of the fixture onto the heap; sets $data and $size.
  (func $read (param $name i32) (param $length i32)
    (local $fd i32) (local $done i32) (local $got i32)
    (block $good
      (block $bad
        ;; The rights to read, and to query the size.
        (br_if $bad
          (call $path_open (global.get $fixture) (i32.const 0) (local.get $name)
            (local.get $length) (i32.const 0) (i64.const 0x200002) (i64.const 0) (i32.const 0)
            (i32.const 12)))
        (local.set $fd (i32.load (i32.const 12)))
        (br_if $bad (call $fd_filestat_get (local.get $fd) (i32.const 176)))
        (br_if $bad (i32.load (i32.const 212)))
        (global.set $size (i32.load (i32.const 208)))
        (global.set $data (call $take (global.get $size)))
        (loop $next
          (if (i32.lt_u (local.get $done) (global.get $size))
            (then
              (i32.store (i32.const 0) (i32.add (global.get $data) (local.get $done)))
              (i32.store (i32.const 4)
                (call $piece (i32.sub (global.get $size) (local.get $done))))
              (br_if $bad
                (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
              (local.set $got (i32.load (i32.const 8)))
              (br_if $bad (i32.eqz (local.get $got)))
              (local.set $done (i32.add (local.get $done) (local.get $got)))
              (br $next))))
        (drop (call $fd_close (local.get $fd)))
        (br $good))
      (call $refuse (local.get $name) (local.get $length) (i32.const 432) (i32.const 14))))

  ;; Writes a file of `out`, if the folder exists.
  (func $write (param $name i32) (param $length i32) (param $data i32) (param $size i32)
    (local $fd i32) (local $done i32)
    (if (i32.eq (global.get $out) (i32.const -1)) (then (return)))
    (block $good
      (block $bad
        ;; Created or emptied, with the right to write.
        (br_if $bad
          (call $path_open (global.get $out) (i32.const 0) (local.get $name) (local.get $length)
            (i32.const 9) (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 12)))
        (local.set $fd (i32.load (i32.const 12)))
        (loop $next
          (if (i32.lt_u (local.get $done) (local.get $size))
            (then
              (i32.store (i32.const 0) (i32.add (local.get $data) (local.get $done)))
              (i32.store (i32.const 4) (call $piece (i32.sub (local.get $size) (local.get $done))))
              (br_if $bad
                (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br_if $bad (i32.eqz (i32.load (i32.const 8))))
              (local.set $done (i32.add (local.get $done) (i32.load (i32.const 8))))
              (br $next))))
        (br_if $good (i32.eqz (call $fd_close (local.get $fd)))))
      (call $refuse (local.get $name) (local.get $length) (i32.const 448) (i32.const 17))))

  ;; The address and length of a word of the line, counted from 0.
  (func $word (param $place i32) (result i32 i32)
    (local.set $place (i32.shl (local.get $place) (i32.const 3)))
    (i32.load offset=128 (local.get $place))
    (i32.load offset=132 (local.get $place)))

  (func $refuse_word (param $place i32)
    (call $word (local.get $place))
    (call $refuse (i32.const 468) (i32.const 29)))

  (func $number (param $text i32) (param $length i32) (result i32)
    (local $value i64) (local $digit i32)
    (if (i32.eqz (local.get $length)) (then (call $refuse_word (i32.const 0))))
    (loop $next
      (if (local.get $length)
        (then
          (local.set $digit (i32.sub (i32.load8_u (local.get $text)) (i32.const 48)))
          (local.set $value
            (i64.add
              (i64.mul (local.get $value) (i64.const 10))
              (i64.extend_i32_u (local.get $digit))))
          (if (i32.or (i32.gt_u (local.get $digit) (i32.const 9))
                (i64.gt_u (local.get $value) (i64.const 0xffffffff)))
            (then (call $refuse_word (i32.const 0))))
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (local.set $length (i32.sub (local.get $length) (i32.const 1)))
          (br $next))))
    (i32.wrap_i64 (local.get $value)))

  ;; Reads the type and dims of an input or output into the tensor; returns its size in bytes.
  (func $port (result i32)
    (local $text i32) (local $length i32) (local $type i32) (local $size i64)
    (local $at i32) (local $rank i32) (local $dim i32)
    (call $word (i32.const 3)) (local.set $length) (local.set $text)
    (block $known
      (loop $next
        (br_if $known
          (call $equal (local.get $text) (local.get $length)
            (i32.add (i32.const 392) (i32.mul (local.get $type) (i32.const 3)))
            (i32.sub (i32.const 3) (i32.eq (local.get $type) (i32.const 3)))))
        (local.set $type (i32.add (local.get $type) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $type) (i32.const 6))))
      (call $refuse_word (i32.const 3)))
    ;; Two, four, eight, one, four and eight bytes: a digit of 841842 for each type.
    (local.set $size
      (i64.extend_i32_u
        (i32.and
          (i32.shr_u (i32.const 0x841842) (i32.shl (local.get $type) (i32.const 2)))
          (i32.const 15))))
    (call $word (i32.const 4)) (local.set $length) (local.set $text)
    (loop $next
      (local.set $at (i32.const 0))
      (block $found
        (loop $look
          (br_if $found (i32.ge_u (local.get $at) (local.get $length)))
          (br_if $found
            (i32.eq (i32.load8_u (i32.add (local.get $text) (local.get $at))) (i32.const 120)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $look)))
      (local.set $dim (call $number (local.get $text) (local.get $at)))
      (local.set $size (i64.mul (local.get $size) (i64.extend_i32_u (local.get $dim))))
      (if (i32.or (i32.eq (local.get $rank) (i32.const 8))
            (i64.gt_u (local.get $size) (i64.const 0xffffffff)))
        (then (call $refuse_word (i32.const 4))))
      (i32.store offset=96 (i32.shl (local.get $rank) (i32.const 2)) (local.get $dim))
      (local.set $rank (i32.add (local.get $rank) (i32.const 1)))
      (if (i32.lt_u (local.get $at) (local.get $length))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (local.set $text (i32.add (local.get $text) (local.get $at)))
          (local.set $length (i32.sub (local.get $length) (local.get $at)))
          (br $next))))
    (i32.store (i32.const 32) (i32.const 96))
    (i32.store (i32.const 36) (local.get $rank))
    (i32.store (i32.const 40) (local.get $type))
    (i32.wrap_i64 (local.get $size)))

  (func $take_encoding
    (local $text i32) (local $length i32)
    (call $word (i32.const 1)) (local.set $length) (local.set $text)
    (global.set $encoding
      (if (result i32)
        (call $equal (local.get $text) (local.get $length) (i32.const 336) (i32.const 8))
        (then (i32.const 0))
        (else
          (if (result i32)
            (call $equal (local.get $text) (local.get $length) (i32.const 344) (i32.const 4))
            (then (i32.const 1))
            (else
              (if (result i32)
                (call $equal (local.get $text) (local.get $length) (i32.const 352) (i32.const 10))
                (then (i32.const 2))
                (else
                  (if (result i32)
                    (call $equal (local.get $text) (local.get $length)
                      (i32.const 368) (i32.const 7))
                    (then (i32.const 3))
                    (else
                      (if
                        (i32.eqz
                          (call $equal (local.get $text) (local.get $length)
                            (i32.const 376) (i32.const 14)))
                        (then (call $refuse_word (i32.const 1))))
                      (i32.const 4)))))))))))

  (func $take_file
    (local $at i32)
    (if (global.get $graph_name) (then (return)))
    (if (i32.eq (global.get $files) (i32.const 4)) (then (call $refuse_word (i32.const 1))))
    (call $word (i32.const 1))
    (call $read)
    (local.set $at (i32.shl (global.get $files) (i32.const 3)))
    (i32.store offset=64 (local.get $at) (global.get $data))
    (i32.store offset=68 (local.get $at) (global.get $size))
    (global.set $files (i32.add (global.get $files) (i32.const 1))))

  (func $load
    (if (global.get $loaded) (then (return)))
    (global.set $loaded (i32.const 1))
    (if (global.get $graph_name)
      (then
        (call $check
          (call $nn_load_by_name (global.get $graph_name)
            (call $length (global.get $graph_name)) (i32.const 16))
          (i32.const 528) (i32.const 12)))
      (else
        (call $check
          (call $nn_load (i32.const 64) (global.get $files) (global.get $encoding) (i32.const 0)
            (i32.const 16))
          (i32.const 520) (i32.const 4)))))

  (func $take_case
    (local $place i32) (local $name i32)
    (call $word (i32.const 1)) (global.set $case_size) (global.set $case)
    (global.set $computed (i32.const 0))
    (global.set $chosen (i32.eq (global.get $first) (global.get $argc)))
    (local.set $place (global.get $first))
    (loop $next
      (if (i32.lt_u (local.get $place) (global.get $argc))
        (then
          (local.set $name (call $argument (local.get $place)))
          (if
            (call $equal (local.get $name) (call $length (local.get $name))
              (global.get $case) (global.get $case_size))
            (then
              (global.set $chosen (i32.const 1))
              (global.set $met
                (i64.or (global.get $met)
                  (i64.shl (i64.const 1) (i64.extend_i32_u (local.get $place)))))))
          (local.set $place (i32.add (local.get $place) (i32.const 1)))
          (br $next))))
    (if (global.get $chosen)
      (then
        (call $load)
        (call $check
          (call $nn_init_execution_context (i32.load (i32.const 16)) (i32.const 20))
          (i32.const 544) (i32.const 22)))))

  (func $take_input
    (local $mark i32)
    (if (i32.eqz (global.get $chosen)) (then (return)))
    (local.set $mark (global.get $heap))
    (drop (call $port))
    (call $word (i32.const 2))
    (call $read)
    (i32.store (i32.const 44) (global.get $data))
    (i32.store (i32.const 48) (global.get $size))
    (call $check
      (call $nn_set_input (i32.load (i32.const 20)) (call $number (call $word (i32.const 1)))
        (i32.const 32))
      (i32.const 568) (i32.const 9))
    ;; The host has a copy.
    (global.set $heap (local.get $mark)))

  (func $print_largest (param $data i32) (param $size i32)
    (local $at i32) (local $best i32)
    (if (i32.eqz (local.get $size)) (then (return)))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $size))
        (then
          (if
            (f32.gt
              (f32.load (i32.add (local.get $data) (local.get $at)))
              (f32.load (i32.add (local.get $data) (local.get $best))))
            (then (local.set $best (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (br $next))))
    (call $print (i32.const 1) (i32.const 424) (i32.const 2))
    (call $print_number (i32.const 1) (i32.shr_u (local.get $best) (i32.const 2)))
    (call $print (i32.const 1) (i32.const 426) (i32.const 1)))

  (func $take_output
    (local $mark i32) (local $data i32) (local $size i32)
    (if (i32.eqz (global.get $chosen)) (then (return)))
    (if (i32.eqz (global.get $computed))
      (then
        (global.set $computed (i32.const 1))
        (call $check (call $nn_compute (i32.load (i32.const 20)))
          (i32.const 580) (i32.const 7))))
    (local.set $mark (global.get $heap))
    (local.set $size (call $port))
    (local.set $data (call $take (local.get $size)))
    (i32.store (i32.const 24) (local.get $size))
    (call $check
      (call $nn_get_output (i32.load (i32.const 20)) (call $number (call $word (i32.const 1)))
        (local.get $data) (local.get $size) (i32.const 24))
      (i32.const 588) (i32.const 10))
    (if (i32.ne (i32.load (i32.const 24)) (local.get $size))
      (then
        (call $word (i32.const 2))
        (call $refuse (i32.const 652) (i32.const 27))))
    (call $print (i32.const 1) (global.get $case) (global.get $case_size))
    (call $print (i32.const 1) (i32.const 416) (i32.const 8))
    (call $word (i32.const 1))
    (call $print_rest)
    (if (i32.eq (i32.load (i32.const 40)) (i32.const 1))
      (then (call $print_largest (local.get $data) (local.get $size))))
    (call $word (i32.const 2))
    (call $write (local.get $data) (local.get $size))
    (global.set $heap (local.get $mark)))

  ;; Prints the index, type and dims of the line.
  (func $print_rest (param $text i32) (param $length i32)
    (call $print (i32.const 1) (local.get $text) (local.get $length))
    (call $print (i32.const 1) (i32.const 424) (i32.const 1))
    (call $word (i32.const 3)) (local.set $length) (local.set $text)
    (call $print (i32.const 1) (local.get $text) (local.get $length))
    (call $print (i32.const 1) (i32.const 424) (i32.const 1))
    (call $word (i32.const 4)) (local.set $length) (local.set $text)
    (call $print (i32.const 1) (local.get $text) (local.get $length))
    (call $print (i32.const 1) (i32.const 426) (i32.const 1)))

  (func $is (param $text i32) (param $length i32) (param $count i32) (param $wanted i32)
    (result i32)
    (call $word (i32.const 0))
    (local.get $text)
    (local.get $length)
    (i32.and (call $equal) (i32.eq (local.get $count) (local.get $wanted))))

  (func $obey (param $count i32)
    (if (call $is (i32.const 288) (i32.const 8) (local.get $count) (i32.const 2))
      (then (return (call $take_encoding))))
    (if (call $is (i32.const 296) (i32.const 4) (local.get $count) (i32.const 2))
      (then (return (call $take_file))))
    (if (call $is (i32.const 304) (i32.const 4) (local.get $count) (i32.const 2))
      (then (return (call $take_case))))
    (if (call $is (i32.const 312) (i32.const 5) (local.get $count) (i32.const 5))
      (then (return (call $take_input))))
    (if (call $is (i32.const 320) (i32.const 6) (local.get $count) (i32.const 5))
      (then (return (call $take_output))))
    (call $refuse_word (i32.const 0)))

  (func $is_space (param $byte i32) (result i32)
    (i32.or (i32.eq (local.get $byte) (i32.const 32))
      (i32.or (i32.eq (local.get $byte) (i32.const 9))
        (i32.eq (local.get $byte) (i32.const 13)))))

  ;; Splits a line into words, and executes it if there are any before a `#`.
  (func $line (param $at i32) (param $end i32)
    (local $count i32) (local $start i32)
    (block $whole
      (loop $next
        (block $word
          (loop $skip
            (br_if $whole (i32.ge_u (local.get $at) (local.get $end)))
            (br_if $word (i32.eqz (call $is_space (i32.load8_u (local.get $at)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $skip)))
        (br_if $whole (i32.eq (i32.load8_u (local.get $at)) (i32.const 35)))
        (if (i32.eq (local.get $count) (i32.const 5)) (then (call $refuse_word (i32.const 0))))
        (local.set $start (local.get $at))
        (block $over
          (loop $more
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $over (i32.ge_u (local.get $at) (local.get $end)))
            (br_if $more (i32.eqz (call $is_space (i32.load8_u (local.get $at)))))))
        (i32.store offset=128 (i32.shl (local.get $count) (i32.const 3)) (local.get $start))
        (i32.store offset=132 (i32.shl (local.get $count) (i32.const 3))
          (i32.sub (local.get $at) (local.get $start)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $next)))
    (if (local.get $count) (then (call $obey (local.get $count)))))

  (func $read_arguments
    (local $texts i32) (local $name i32)
    (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
    (global.set $argc (i32.load (i32.const 0)))
    (local.set $texts (i32.load (i32.const 4)))
    (global.set $argv (call $take (i32.shl (global.get $argc) (i32.const 2))))
    (drop (call $args_get (global.get $argv) (call $take (local.get $texts))))
    ;; A host may omit the program's name.
    (if (i32.eqz (global.get $argc)) (then (global.set $first (i32.const 0)) (return)))
    (if (i32.lt_u (global.get $argc) (i32.const 3)) (then (return)))
    (local.set $name (call $argument (i32.const 1)))
    (if
      (call $equal (local.get $name) (call $length (local.get $name))
        (i32.const 328) (i32.const 7))
      (then
        (global.set $graph_name (call $argument (i32.const 2)))
        (global.set $first (i32.const 3)))))

  (func $check_met
    (local $place i32) (local $name i32)
    (local.set $place (global.get $first))
    (loop $next
      (if (i32.lt_u (local.get $place) (global.get $argc))
        (then
          (local.set $name (call $argument (local.get $place)))
          (if
            (i64.eqz
              (i64.and (i64.const 1)
                (i64.shr_u (global.get $met) (i64.extend_i32_u (local.get $place)))))
            (then
              (call $refuse (local.get $name) (call $length (local.get $name))
                (i32.const 600) (i32.const 21))))
          (local.set $place (i32.add (local.get $place) (i32.const 1)))
          (br $next)))))

  (func (export "_start")
    (local $at i32) (local $start i32) (local $end i32)
    (call $read_arguments)
    (call $find_preopens)
    (call $read (i32.const 272) (i32.const 11))
    (local.set $at (global.get $data))
    (local.set $start (local.get $at))
    (local.set $end (i32.add (local.get $at) (global.get $size)))
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 10))
            (then
              (call $line (local.get $start) (local.get $at))
              (local.set $start (i32.add (local.get $at) (i32.const 1)))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (call $line (local.get $start) (local.get $end))
    (call $check_met)))
