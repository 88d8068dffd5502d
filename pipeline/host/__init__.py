"""The embedded wasi-nn host: ABI, guest memory, backends, named graphs and the sandbox."""
