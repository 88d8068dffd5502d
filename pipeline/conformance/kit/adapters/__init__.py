"""How each runtime is started, with the functions that the runner of wasi-testsuite calls."""
