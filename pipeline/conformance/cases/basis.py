"""What the cases stand on: their level, the line of the text, and why it is judged so.

Texts: wasi-nn.witx and wit/wasi-nn.wit of WebAssembly/wasi-nn at 71320d95; the last witx with
comments, phases/ephemeral/witx/wasi_ephemeral_nn.witx before 2b4ae11; tools/witx-docs.md of
WebAssembly/WASI, branch wasi-0.1; CanonicalABI.md of WebAssembly/component-model at 6d281648.
"""

from __future__ import annotations

from pipeline.conformance.case import Basis, Level

_WITX = "wasi-nn.witx"
_WIT = "wasi-nn.wit 0.2.0-rc-2024-10-28"
_OLD = "wasi_ephemeral_nn.witx of 2021"
_DOCS = "witx-docs.md of WASI 0.1"
_ABI = "CanonicalABI.md"
_CORE = (
    "WebAssembly Core Specification, Design Goals: “Safe: code is validated and executes in a "
    "memory-safe, sandboxed environment preventing data corruption or security breaches.”"
)
_NO_TEXT = "no line of the specification"


def _spec(source: str, reason: str) -> Basis:
    return Basis(Level.SPEC, source, reason)


def _safety(reason: str, source: str = _CORE) -> Basis:
    return Basis(Level.SAFETY, source, reason)


def _extension(function: str, reason: str) -> Basis:
    return Basis(Level.EXTENSION, f"{_NO_TEXT}; `{function}` of WasmEdge's wasi_nn plugin", reason)


def choice(reason: str, source: str = _NO_TEXT) -> Basis:
    """Return the basis of a recommendation."""
    return Basis(Level.CHOICE, source, reason)


POINTER = _spec(
    f"{_DOCS}: “If an out-of-bounds pointer is passed to a function and the function needs to "
    "dereference it, the function shall trap rather than returning `errno.fault`.”",
    "A trap is what the text asks; an error is as safe, and hosts do either. Success, a write and "
    "a crash of the host are unsafe.",
)
MISALIGNED = _spec(
    f"{_DOCS}: “If a misaligned pointer is passed to a function, the function shall trap.”",
    "Guests use packed buffers, so a host may also serve the call or return an error. What is "
    "served must be right.",
)
ENUM = _spec(
    f"{_ABI}, line 2595: “trap_if(case_index >= len(cases))”",
    "The witx has no text for a number outside an enum: a trap or any error conforms.",
)
LOAD = _spec(
    f"{_WITX}, load: “(result $error (expected $graph (error $nn_errno)))”",
    "Without it no guest works.",
)
BUILDERS = _spec(
    f"{_WIT}, graph-builder: “implementing backends may encode their graph IR in parts (e.g., "
    "OpenVINO stores its IR and weights separately)”",
    "A model without all of its parts cannot be right. Which error is left open.",
)
MORE_BUILDERS = choice(
    "The text does not bound their number; a host that ignores some hides a mistake of the guest.",
    f"{_WITX}: “(typename $graph_builder_array (list $graph_builder))”",
)
UNREADABLE = _safety("Success for bytes that are no model cannot be right. Any error conforms.")
ENCODING = _spec(
    f"{_OLD}, load: “For unsupported graph encodings, return `errno::inval`.”",
    "Since 2022 there is invalid_encoding (2), which says more. Any error conforms.",
)
TARGET = _spec(
    f"{_WIT}, execution-target: “Define where the graph should be executed.”",
    "No text excludes a fallback: the target is refused or served, and what is served computes.",
)
OPAQUE = _spec(
    f"{_OLD}, $graph_execution_context: “we want it to be opaque to users”",
    "Handles may be any numbers, but each must mean its own graph or context.",
)
AFTER_FAILURE = _safety("A refused call must leave the host able to serve the next one.")
NAMES = _spec(
    f"{_WIT}, load-by-name: “How the host expects the names to be passed and how it stores the "
    "graphs for retrieval via this function is **implementation-specific**.”",
    "A graph that was given to the host must be found. One handle or two for the same name "
    "conform, as caching is allowed.",
)
UNKNOWN_NAME = _safety(
    "No graph of this name was given to the host, so success cannot be right. Which error is "
    "returned is implementation-specific; not_found (8) says most."
)
HOST_FILE = _safety(
    "A guest reaches files through preopened folders only. A name or a model that opens any file "
    "of the host, or reads its memory, is a way around them."
)
UNKNOWN_HANDLE = _safety(
    "Success for a handle that was never given out cannot be right, and a host that dereferences "
    "it crashes. Any error conforms."
)
ISOLATED = _spec(
    f"{_WITX}, init_execution_context: “(result $error (expected $graph_execution_context (error "
    "$nn_errno)))”",
    "Two contexts of one graph keep their own inputs and outputs; how many there may be is asked "
    "by limit-contexts.",
)
INDEX = _safety("Success for an input or output that the model does not have cannot be right.")
MATCH = _spec(
    f"{_OLD}, set_input: “This should return an $nn_errno (TODO define) if the input tensor does "
    "not match the expected dimensions and type.”",
    "Any error conforms, as the number was never defined.",
)
LENGTH = _spec(
    f"{_WIT}, tensor-data: “the array length must match the product of all of the dimensions and "
    "the number of bytes in the type”",
    "A host that accepts less reads foreign memory when it computes.",
)
COMPUTES_ACCEPTED = _safety(
    "A host may refuse the tensor at set_input or at compute. If it does neither, it must not "
    "crash, hang, or compute over memory that is not the guest's."
)
TENSOR = _spec(
    f"{_WITX}: “(typename $tensor (record (field $dimensions $tensor_dimensions) (field $type "
    "$tensor_type) (field $data $tensor_data)))”, with $tensor_type of one byte",
    "Padding has no meaning, and guests leave old bytes there.",
)
INPUTS = _spec(
    f"{_OLD}, compute: “Compute the inference on the given inputs (see `set_input`).”",
    "The inputs are those that were set last, each at its index.",
)
COPIED = _safety(
    "set_input is the call that has the tensor. A host that reads guest memory later computes "
    "over whatever is there then, or over memory that has moved."
)
GROWN = _safety(
    "memory.grow may move the memory. A host that keeps an address or a size from before writes "
    "where it must not.",
)
SCALAR = _spec(
    f"{_WIT}, tensor: “To represent a tensor containing a single value, use `[1]` for the tensor "
    "dimensions.”",
    "So a scalar input takes `[1]`.",
)
MESSAGE = choice(
    "An errno alone leaves users to guess (wasmtime#7157). A line on the host's stderr that names "
    "both types tells them what to change.",
    f"{_WIT}, error: “data: func() -> string; Errors are propagated with backend specific status "
    "through a string value.”",
)
DYNAMIC = _spec(
    f"{_WIT}, tensor-dimensions: “each element in the array describes the size of each dimension”",
    "A dynamic axis takes the size that the tensor states.",
)
UNSET = _spec(
    f"{_OLD}, compute: “This should return an $nn_errno (TODO define) if the inputs are not all "
    "defined.”",
    "Any error conforms. Success computes over memory that nobody wrote.",
)
NOT_RUN = _spec(
    f"{_OLD}, get_output: “This should return an $nn_errno (TODO define) if the inference has not "
    "yet run.”",
    "Any error conforms. Success returns bytes that are no output.",
)
FOREIGN = _safety("Bytes that are neither the guest's nor a result are the host's own memory.")
OLD_OUTPUT = choice(
    "No text says that set_input voids an output. An error tells a guest that it forgot compute; "
    "the old output differs; any other bytes are unsafe."
)
WRITTEN = _spec(
    f"{_WITX}, get_output: “(param $out_buffer_max_size $buffer_size) (result $error (expected "
    "$buffer_size (error $nn_errno)))”",
    "The size is exact, no byte beyond it is written, and a refused call has no value.",
)
SMALL = _spec(
    f"{_WITX}, get_output: “(param $out_buffer_max_size $buffer_size)”",
    "A buffer that is too small is refused with any error and left alone. too_large (7) is "
    "recommended.",
)
NEEDED_SIZE = choice(
    "A result has no value on an error, so bytes_written need not change. WasmEdge and this host "
    "write the needed size, which spares guests a guess.",
    f"{_WITX}, get_output: “(result $error (expected $buffer_size (error $nn_errno)))”",
)
TYPE = _spec(
    f"{_WITX}: “(typename $tensor_type (enum (@witx tag u8) $f16 $f32 $f64 $u8 $i32 $i64))”",
    "A type that the model has and the enum lists is computed exactly.",
)
OWN_MEMORY = _safety(
    "A pointer means the memory of the instance that calls. A host that takes another's reads and "
    "writes where the guest has no right to. Whether instances share handles is left open."
)
TIME_LIMIT = Basis(
    Level.EXTENSION,
    f"{_NO_TEXT}; the error code `timeout` of {_WIT}",
    "A host that offers a time limit ends a guest with it, also one that spends its time in "
    "compute. The limit is a second here.",
)
FRESH = _safety("Handles belong to an instance; a new one has none.")
UNLOAD = _extension("unload", "A graph is released once.")
UNLOAD_CONTEXTS = _extension(
    "unload",
    "compute and set_input on a context of an unloaded graph are errors. An output that was "
    "computed before may still be read: WasmEdge documents that.",
)
FINALIZE = _extension("finalize_execution_context", "A context is released once.")
SINGLE = _extension(
    "compute_single",
    "Streamed outputs need a language model; any error conforms, unsupported_operation (6) is "
    "recommended.",
)
CONFIG = _extension(
    "load_by_name_with_config",
    "The config is for GGML, so for another model any answer conforms that does not crash.",
)
NO_MEMORY = _spec(
    f'{_WITX}: “(import "memory" (memory))”, and $missing_memory of $nn_errno',
    "A host may refuse the guest, or return an error; missing_memory (3) is recommended. Success "
    "means that it used memory which the guest does not export.",
)
STREAMS = _spec(
    "wasi_snapshot_preview1.witx, proc_exit: “Terminate the process normally. An exit code of 0 "
    "indicates successful termination of the program.”",
    "Output and exit code reach the caller, since all cases report by them.",
)
