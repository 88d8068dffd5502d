//! wasi-nn's core-module ABI, with the names of its first Rust bindings.
//!
//! Graphs, contexts and errnos are plain integers. Every function is unsafe, since this crate
//! cannot check what the host does with an address.

#![no_std]

use core::fmt;
use core::mem::MaybeUninit;

/// Handle of a loaded graph.
pub type Graph = u32;
/// Handle of an execution context.
pub type GraphExecutionContext = u32;
/// Encoding of a graph: one of the constants `GRAPH_ENCODING_…`.
pub type GraphEncoding = u8;
/// Device of a graph: one of the constants `EXECUTION_TARGET_…`.
pub type ExecutionTarget = u8;
/// Element type of a tensor: one of the constants `TENSOR_TYPE_…`.
pub type TensorType = u8;
/// A number of bytes.
pub type BufferSize = u32;

pub const GRAPH_ENCODING_OPENVINO: GraphEncoding = 0;
pub const GRAPH_ENCODING_ONNX: GraphEncoding = 1;
pub const GRAPH_ENCODING_TENSORFLOW: GraphEncoding = 2;
pub const GRAPH_ENCODING_PYTORCH: GraphEncoding = 3;
pub const GRAPH_ENCODING_TENSORFLOWLITE: GraphEncoding = 4;

pub const EXECUTION_TARGET_CPU: ExecutionTarget = 0;
pub const EXECUTION_TARGET_GPU: ExecutionTarget = 1;
pub const EXECUTION_TARGET_TPU: ExecutionTarget = 2;

/// The numbering since August 2023.
pub const TENSOR_TYPE_F16: TensorType = 0;
pub const TENSOR_TYPE_F32: TensorType = 1;
pub const TENSOR_TYPE_F64: TensorType = 2;
pub const TENSOR_TYPE_U8: TensorType = 3;
pub const TENSOR_TYPE_I32: TensorType = 4;
pub const TENSOR_TYPE_I64: TensorType = 5;

/// An errno other than success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub u32);

pub type Result<T> = core::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "invalid_argument",
            2 => "invalid_encoding",
            3 => "missing_memory",
            4 => "busy",
            5 => "runtime_error",
            6 => "unsupported_operation",
            7 => "too_large",
            8 => "not_found",
            _ => "an unknown errno",
        };
        write!(to, "errno {}, {}", self.0, name)
    }
}

/// A tensor for the host; the size of its data must match its dimensions and type.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    pub dimensions: &'a [u32],
    pub r#type: TensorType,
    pub data: &'a [u8],
}

/// The parts of a graph: for OpenVINO the xml and the bin.
pub type GraphBuilderArray<'a> = &'a [&'a [u8]];

mod host {
    /// The 20-byte struct that the host reads; of the type it reads only the first byte.
    #[repr(C)]
    pub struct Tensor {
        pub dimensions: *const u32,
        pub rank: usize,
        pub r#type: u32,
        pub data: *const u8,
        pub size: usize,
    }

    #[link(wasm_import_module = "wasi_ephemeral_nn")]
    extern "C" {
        pub fn load(
            parts: *const u8,
            count: usize,
            encoding: u32,
            target: u32,
            graph: *mut u32,
        ) -> u32;
        pub fn load_by_name(name: *const u8, size: usize, graph: *mut u32) -> u32;
        pub fn init_execution_context(graph: u32, context: *mut u32) -> u32;
        pub fn set_input(context: u32, index: u32, tensor: *const Tensor) -> u32;
        pub fn compute(context: u32) -> u32;
        pub fn get_output(
            context: u32,
            index: u32,
            buffer: *mut u8,
            size: u32,
            written: *mut u32,
        ) -> u32;
    }
}

fn checked(errno: u32) -> Result<()> {
    match errno {
        0 => Ok(()),
        errno => Err(Error(errno)),
    }
}

/// Calls a host function that writes an integer to its last argument.
unsafe fn answered(call: impl FnOnce(*mut u32) -> u32) -> Result<u32> {
    let mut answer = MaybeUninit::zeroed();
    checked(call(answer.as_mut_ptr()))?;
    Ok(answer.assume_init())
}

/// Loads a graph from its parts.
///
/// # Safety
/// The host reads the parts; it must not write them.
pub unsafe fn load(
    parts: GraphBuilderArray<'_>,
    encoding: GraphEncoding,
    target: ExecutionTarget,
) -> Result<Graph> {
    // In wasm32 a slice is an address and a length, as the ABI requires.
    let start = parts.as_ptr().cast();
    answered(|graph| host::load(start, parts.len(), encoding.into(), target.into(), graph))
}

/// Loads a named graph of the host.
///
/// # Safety
/// The host reads the name; it must not write it.
pub unsafe fn load_by_name(name: &str) -> Result<Graph> {
    answered(|graph| host::load_by_name(name.as_ptr(), name.len(), graph))
}

/// Creates an execution context of a graph.
///
/// # Safety
/// None beyond that of every call of the host.
pub unsafe fn init_execution_context(graph: Graph) -> Result<GraphExecutionContext> {
    answered(|context| host::init_execution_context(graph, context))
}

/// Sets an input of the context; the host copies it.
///
/// # Safety
/// The host reads the tensor; it must not write it or keep its address.
pub unsafe fn set_input(
    context: GraphExecutionContext,
    index: u32,
    tensor: Tensor<'_>,
) -> Result<()> {
    let raw = host::Tensor {
        dimensions: tensor.dimensions.as_ptr(),
        rank: tensor.dimensions.len(),
        r#type: tensor.r#type.into(),
        data: tensor.data.as_ptr(),
        size: tensor.data.len(),
    };
    checked(host::set_input(context, index, &raw))
}

/// Runs inference on the inputs of a context.
///
/// # Safety
/// None beyond that of every call of the host.
pub unsafe fn compute(context: GraphExecutionContext) -> Result<()> {
    checked(host::compute(context))
}

/// Copies an output to a buffer of `size` bytes, and returns the size of the output.
///
/// # Safety
/// `buffer` must be valid for writes of `size` bytes.
pub unsafe fn get_output(
    context: GraphExecutionContext,
    index: u32,
    buffer: *mut u8,
    size: BufferSize,
) -> Result<BufferSize> {
    answered(|written| host::get_output(context, index, buffer, size, written))
}
