"""The embedded wasi-nn host: the ABI, guest memory, backends, named graphs and the sandbox."""
