//! The core-module ABI of wasi-nn, under the names that its first guests used.
//!
//! Graphs, contexts and errnos are plain numbers here. Every function is unsafe, since what the
//! host does with an address is not for this crate to check.

#![no_std]

use core::fmt;
use core::mem::MaybeUninit;

/// A graph that the host has loaded.
pub type Graph = u32;
/// A context in which a graph is computed.
pub type GraphExecutionContext = u32;
/// The encoding of a graph: one of the constants `GRAPH_ENCODING_…`.
pub type GraphEncoding = u8;
/// The device that a graph is for: one of the constants `EXECUTION_TARGET_…`.
pub type ExecutionTarget = u8;
/// The elements of a tensor: one of the constants `TENSOR_TYPE_…`.
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

/// The numbers since August 2023.
pub const TENSOR_TYPE_F16: TensorType = 0;
pub const TENSOR_TYPE_F32: TensorType = 1;
pub const TENSOR_TYPE_F64: TensorType = 2;
pub const TENSOR_TYPE_U8: TensorType = 3;
pub const TENSOR_TYPE_I32: TensorType = 4;
pub const TENSOR_TYPE_I64: TensorType = 5;

/// An errno of the host that is not success.
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

/// A tensor that is passed to the host: its data has as many bytes as dimensions and type make.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    pub dimensions: &'a [u32],
    pub r#type: TensorType,
    pub data: &'a [u8],
}

/// The parts of a graph: for OpenVINO the xml and the bin.
pub type GraphBuilderArray<'a> = &'a [&'a [u8]];

mod host {
    /// What the host reads of a tensor: 20 bytes, of the type's four only the first.
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

/// Calls a function of the host that leaves a number where its last argument points.
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
    // In wasm32 a slice is an address and a length, which is what the ABI asks for.
    let start = parts.as_ptr().cast();
    answered(|graph| host::load(start, parts.len(), encoding.into(), target.into(), graph))
}

/// Loads a graph that the host knows by a name.
///
/// # Safety
/// The host reads the name; it must not write it.
pub unsafe fn load_by_name(name: &str) -> Result<Graph> {
    answered(|graph| host::load_by_name(name.as_ptr(), name.len(), graph))
}

/// Makes a context in which a graph can be computed.
///
/// # Safety
/// None beyond that of every call of the host.
pub unsafe fn init_execution_context(graph: Graph) -> Result<GraphExecutionContext> {
    answered(|context| host::init_execution_context(graph, context))
}

/// Gives the context an input, which the host copies.
///
/// # Safety
/// The host reads the tensor; it must not write it, nor keep its address.
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

/// Computes the graph of a context on its inputs.
///
/// # Safety
/// None beyond that of every call of the host.
pub unsafe fn compute(context: GraphExecutionContext) -> Result<()> {
    checked(host::compute(context))
}

/// Copies an output into a buffer of `size` bytes, and returns how many bytes it has.
///
/// # Safety
/// `buffer` must be good for writes of `size` bytes.
pub unsafe fn get_output(
    context: GraphExecutionContext,
    index: u32,
    buffer: *mut u8,
    size: BufferSize,
) -> Result<BufferSize> {
    answered(|written| host::get_output(context, index, buffer, size, written))
}
