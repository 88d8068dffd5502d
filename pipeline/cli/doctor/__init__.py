"""`wasi-nn doctor`: checks of this machine and of a project."""
