"""The command `wasi-nn`: each sub-command thin over its room."""
