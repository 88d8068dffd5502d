"""wasi-nn's component interface in Wasmtime: values, resources, and functions of a linker."""
