//! wasi-nn's core-module ABI. Every function returns an errno.

pub const cpu = 0;

pub const Builder = extern struct { data: [*]const u8, size: usize };

/// `type` is 0 f16, 1 f32, 2 f64, 3 u8, 4 i32 or 5 i64; hosts read only its first byte.
pub const Tensor = extern struct {
    dims: [*]const u32,
    rank: u32,
    type: u32,
    data: [*]const u8,
    size: usize,
};

pub extern "wasi_ephemeral_nn" fn load(
    builders: [*]const Builder,
    count: u32,
    encoding: u32,
    target: u32,
    graph: *u32,
) u32;
pub extern "wasi_ephemeral_nn" fn load_by_name(name: [*]const u8, size: usize, graph: *u32) u32;
pub extern "wasi_ephemeral_nn" fn init_execution_context(graph: u32, context: *u32) u32;
pub extern "wasi_ephemeral_nn" fn set_input(context: u32, index: u32, tensor: *const Tensor) u32;
pub extern "wasi_ephemeral_nn" fn compute(context: u32) u32;
pub extern "wasi_ephemeral_nn" fn get_output(
    context: u32,
    index: u32,
    data: [*]u8,
    size: usize,
    written: *u32,
) u32;
