"""`wasi-nn new`: drafts of configs, from a model and photos."""
