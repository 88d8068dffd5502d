"""wasi-nn without an ABI: graphs, contexts, inputs and outputs of one instance."""
