"""The `wasi-nn` command: one module for each sub-command, thin over its room."""
