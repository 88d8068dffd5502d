"""The `wasi-nn` command: one thin module for each sub-command."""
