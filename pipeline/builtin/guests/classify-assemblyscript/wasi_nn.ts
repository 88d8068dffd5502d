// wasi-nn's core-module ABI. Every function returns an errno, and writes its result to the address
// in its last argument.

export const CPU: u32 = 0;

@external("wasi_ephemeral_nn", "load")
export declare function load(
  parts: usize, count: u32, encoding: u32, target: u32, graph: usize
): u32;

@external("wasi_ephemeral_nn", "load_by_name")
export declare function load_by_name(name: usize, size: u32, graph: usize): u32;

@external("wasi_ephemeral_nn", "init_execution_context")
export declare function init_execution_context(graph: u32, context: usize): u32;

@external("wasi_ephemeral_nn", "set_input")
export declare function set_input(context: u32, index: u32, tensor: usize): u32;

@external("wasi_ephemeral_nn", "compute")
export declare function compute(context: u32): u32;

@external("wasi_ephemeral_nn", "get_output")
export declare function get_output(
  context: u32, index: u32, buffer: usize, size: u32, written: usize
): u32;

// One part of a graph, as the host reads it.
@unmanaged
export class Part {
  data: usize;
  size: u32;
}

// A tensor, as the host reads it; of the type it reads only the first byte.
@unmanaged
export class Tensor {
  dims: usize;
  rank: u32;
  type: u32;
  data: usize;
  size: u32;
}
